#pragma once

#include <onnxruntime_cxx_api.h>

#include <span>
#include <string>
#include <vector>

#include "core/device.h"

namespace zrank {

struct SessionSpec {
  std::string graph;          // ONNX model bytes, empty to read `graph_path`
  std::string graph_path;     // an ONNX file with its own external data beside it
  std::string weight_folder;  // what the external data's locations in `graph` are relative to
  Device device;
  int intra_op_threads = 1;    // threads of one run, the calling one included
  bool optimize = false;       // let ONNX Runtime rewrite the graph: for graphs that zrank did not write
  std::string profile_prefix;  // ONNX Runtime writes its trace here when the session ends; empty for none
  bool prepack = false;        // let it copy weights into a layout of its own
};

// An ONNX Runtime session. Runs may be concurrent.
class Session {
 public:
  explicit Session(const SessionSpec& spec);

  std::vector<Ort::Value> Run(const Ort::RunOptions& options, std::span<const char* const> input_names,
                              std::span<const Ort::Value> inputs, std::span<const char* const> output_names);
  Ort::Session& ort() { return session_; }

 private:
  Ort::Session session_{nullptr};
};

}  // namespace zrank
