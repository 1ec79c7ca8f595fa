#include "core/packed_decoder.h"

#include <array>

#include "core/error.h"

namespace zrank {

namespace {

constexpr std::array kInputs{"input_ids", "expand", "compact", "seqlens_k", "total_sequence_length", "last", "last_flat"};
constexpr std::array kOutputs{"logits"};

// A tensor over memory that outlives the run.
Ort::Value View(std::vector<int32_t>& data, std::initializer_list<int64_t> shape) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  return Ort::Value::CreateTensor<int32_t>(memory, data.data(), data.size(), shape.begin(), shape.size());
}

}  // namespace

RunResult PackedDecoder::Run(std::span<const Sequence> batch, const Ort::RunOptions& options) {
  PackedBatch packed = Pack(batch);
  RunResult result;
  result.counts = {static_cast<uint64_t>(packed.tokens()), static_cast<uint64_t>(packed.sequences() * packed.longest)};
  if (device_.is_gpu()) PadToBuckets(packed);
  std::vector<int32_t> total{packed.longest};
  const int64_t tokens = packed.tokens(), sequences = packed.sequences();
  const std::array inputs{
      View(packed.input_ids, {tokens}),    View(packed.expand, {sequences, packed.longest}),
      View(packed.compact, {tokens}),      View(packed.seqlens_k, {sequences}),
      View(total, {1}),                    View(packed.last, {sequences}),
      View(packed.last_flat, {sequences}),
  };
  const std::vector<Ort::Value> outputs =
      device_.is_gpu() ? RunOnGpu(options, inputs) : session_.Run(options, kInputs, inputs, kOutputs);
  const float* logits = outputs.front().GetTensorData<float>();
  for (uint32_t row : packed.score_row) result.rows.push_back(logits[row]);
  return result;
}

std::vector<Ort::Value> PackedDecoder::RunOnGpu(const Ort::RunOptions& options, std::span<const Ort::Value> inputs) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  try {
    std::unique_lock lock(gpu_, std::defer_lock);
    // The WebGPU provider takes no copies while it runs.
    if (device_.kind == DeviceKind::kWebGpu) lock.lock();
    Ort::IoBinding binding(session_.ort());
    for (size_t i = 0; i < inputs.size(); ++i) binding.BindInput(kInputs[i], inputs[i]);  // copies to the device
    binding.BindOutput(kOutputs.front(), memory);
    binding.SynchronizeInputs();
    if (!lock) lock.lock();
    session_.ort().Run(options, binding);
    binding.SynchronizeOutputs();
    return binding.GetOutputValues();
  } catch (const std::exception& exception) {
    throw Classify(exception, ErrorCode::kRunFailed);
  }
}

}  // namespace zrank
