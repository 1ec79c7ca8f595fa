#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <span>
#include <vector>

#include "core/pack.h"

namespace zrank {

// What one run computed, for the benchmark's figures.
struct RunCounts {
  uint64_t computed_tokens = 0;  // rows that passed through the layers
  uint64_t padded_tokens = 0;    // sequences x longest sequence, as attention saw them
  double compute_seconds = 0;    // in ONNX Runtime's run, without packing, copies to the device and waiting for it
};

struct RunResult {
  std::vector<float> rows;  // [sequences, width]
  RunCounts counts;
};

// A network that turns a batch of sequences into a row of numbers each. Run may be called from several threads at once.
class Model {
 public:
  virtual ~Model() = default;
  virtual RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions& options) = 0;
};

}  // namespace zrank
