#pragma once

#include <mutex>

#include "core/model.h"
#include "core/session.h"

namespace zrank {

// The graph of src/graph: a decoder over packed tokens that gives one logit a sequence.
class PackedDecoder : public Model {
 public:
  explicit PackedDecoder(const SessionSpec& spec) : device_(spec.device), session_(spec) {}
  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions& options) override;

 private:
  // A GPU runs one batch at a time; the next one is packed and copied to it meanwhile.
  std::vector<Ort::Value> RunOnGpu(const Ort::RunOptions& options, std::span<const Ort::Value> inputs);

  const Device device_;
  Session session_;
  std::mutex gpu_;
};

}  // namespace zrank
