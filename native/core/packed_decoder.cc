#include "core/packed_decoder.h"

#include <array>

namespace zrank {

namespace {

// A tensor over memory that outlives the run.
Ort::Value View(std::vector<int32_t>& data, std::initializer_list<int64_t> shape) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor<int32_t>(memory, data.data(), data.size(), shape.begin(), shape.size());
}

}  // namespace

RunResult PackedDecoder::Run(std::span<const Sequence> batch, const Ort::RunOptions& options) {
  PackedBatch packed = Pack(batch);
  std::vector<int32_t> total{packed.longest};
  const int64_t tokens = packed.tokens(), sequences = packed.sequences();

  static constexpr std::array input_names{"input_ids", "expand",    "compact", "seqlens_k", "total_sequence_length",
                                          "last",      "last_flat"};
  static constexpr std::array output_names{"logits"};
  const std::array inputs{
      View(packed.input_ids, {tokens}),    View(packed.expand, {sequences, packed.longest}),
      View(packed.compact, {tokens}),      View(packed.seqlens_k, {sequences}),
      View(total, {1}),                    View(packed.last, {sequences}),
      View(packed.last_flat, {sequences}),
  };
  const std::vector<Ort::Value> outputs = session_.Run(options, input_names, inputs, output_names);

  const float* logits = outputs.front().GetTensorData<float>();
  RunResult result;
  for (uint32_t row : packed.score_row) result.rows.push_back(logits[row]);
  result.counts.computed_tokens = static_cast<uint64_t>(tokens);
  result.counts.padded_tokens = static_cast<uint64_t>(sequences * packed.longest);
  return result;
}

}  // namespace zrank
