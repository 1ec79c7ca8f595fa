#pragma once

#include <onnxruntime_cxx_api.h>

#include <span>
#include <string>
#include <vector>

#include "core/mapped_file.h"

namespace zrank {

// A file that the graph's external data points into: `location` is its name in the graph, `path` where it lies.
struct WeightFile {
  std::string location;
  std::string path;
};

struct SessionSpec {
  std::string graph;                // ONNX model bytes, empty to read `graph_path`
  std::string graph_path;           // an ONNX file with its own external data beside it
  std::vector<WeightFile> weights;
  int intra_op_threads = 1;         // threads of one run, the calling one included
  bool optimize = false;            // let ONNX Runtime rewrite the graph: for graphs that zrank did not write
};

// An ONNX Runtime session and the files that its weights are mapped from. Runs may be concurrent.
class Session {
 public:
  explicit Session(const SessionSpec& spec);

  std::vector<Ort::Value> Run(const Ort::RunOptions& options, std::span<const char* const> input_names,
                              std::span<const Ort::Value> inputs, std::span<const char* const> output_names);
  Ort::Session& ort() { return session_; }

 private:
  std::vector<MappedFile> files_;  // outlives session_
  Ort::Session session_{nullptr};
};

}  // namespace zrank
