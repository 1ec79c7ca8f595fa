#pragma once

#include "core/model.h"
#include "core/session.h"

namespace zrank {

// The graph of src/graph: a decoder over packed tokens that gives one logit a sequence.
class PackedDecoder : public Model {
 public:
  explicit PackedDecoder(const SessionSpec& spec) : session_(spec) {}
  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions& options) override;

 private:
  Session session_;
};

}  // namespace zrank
