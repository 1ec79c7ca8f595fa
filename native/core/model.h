#pragma once

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/pack.h"

namespace zrank {

// What one run computed, for the benchmark's figures.
struct RunCounts {
  uint64_t computed_tokens = 0;  // rows that passed through the layers
  uint64_t padded_tokens = 0;    // sequences x longest sequence, as attention saw them
  double compute_seconds = 0;    // in ONNX Runtime's run, without packing, copies to the device and waiting for it

  RunCounts& operator+=(const RunCounts& other) {
    computed_tokens += other.computed_tokens;
    padded_tokens += other.padded_tokens;
    compute_seconds += other.compute_seconds;
    return *this;
  }
};

struct RunResult {
  std::vector<float> rows;  // [sequences, width]
  RunCounts counts;
};

inline bool IsFinite(std::span<const float> rows) {
  return std::all_of(rows.begin(), rows.end(), [](float x) { return std::isfinite(x); });
}

// A network that turns a batch of sequences into a row of numbers each. Run may be called from several threads at once.
class Model {
 public:
  virtual ~Model() = default;
  virtual RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions& options) = 0;
};

using ModelFactory = std::function<std::unique_ptr<Model>()>;

}  // namespace zrank
