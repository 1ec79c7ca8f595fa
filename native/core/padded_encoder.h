#pragma once

#include <string>
#include <vector>

#include "core/model.h"
#include "core/pooling.h"
#include "core/session.h"

namespace zrank {

struct EncoderSpec {
  SessionSpec session;
  // Modes whose results stand one after the other in a row. Empty: the graph itself gives a row a sequence.
  std::vector<Pooling> pooling;
  bool normalize = false;  // rows to unit length
  int64_t pad_id = 0;      // stands behind a sequence's end
};

// An ONNX encoder as exporters write it (BERT and its kin), over right-padded sequences. Inputs, int64 [B, S]: any of
// input_ids, attention_mask and token_type_ids. Output, fp32: token embeddings [B, S, H] to pool, or a row a sequence,
// [B, width] or [B]. It computes every padded token.
class PaddedEncoder : public Model {
 public:
  // Throws SESSION_FAILED for a graph with other inputs, or without the output that `spec` needs.
  explicit PaddedEncoder(const EncoderSpec& spec);
  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions& options) override;

 private:
  // [B, modes x width] from [B, longest, width].
  std::vector<float> PoolBatch(std::span<const Sequence> batch, std::span<const float> tokens, size_t width) const;

  Session session_;
  const std::vector<Pooling> pooling_;
  const bool normalize_;
  const int64_t pad_id_;
  std::vector<std::string> inputs_;  // as the graph declares them
  std::string output_;
  bool pools_;  // output_ holds token embeddings
};

}  // namespace zrank
