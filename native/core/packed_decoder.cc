#include "core/packed_decoder.h"

#include <array>

#include "core/error.h"
#include "core/stopwatch.h"

namespace zrank {

namespace {

constexpr const char* kOutput = "logits";

}  // namespace

RunResult PackedDecoder::Run(std::span<const Sequence> batch, const Ort::RunOptions& options) {
  PackedBatch packed = Pack(batch);
  RunResult result;
  result.counts = {static_cast<uint64_t>(packed.tokens()), static_cast<uint64_t>(packed.sequences() * packed.longest)};
  if (device_.is_gpu()) PadToBuckets(packed);
  const int64_t tokens = packed.tokens(), sequences = packed.sequences();
  const std::array inputs{
      GraphInput{"input_ids", packed.input_ids, {tokens}},
      GraphInput{"expand", packed.expand, {sequences, packed.longest}},
      GraphInput{"compact", packed.compact, {tokens}},
      GraphInput{"last", packed.last, {sequences}},
      GraphInput{"last_flat", packed.last_flat, {sequences}},
      GraphInput{"seqlens_k", packed.seqlens_k, {sequences}},
      GraphInput{"total_sequence_length", {&packed.longest, 1}, {1}},
  };
  const std::vector<float> logits = device_.is_gpu() ? RunOnGpu(options, inputs, sequences, result.counts.compute_seconds)
                                                     : RunOnCpu(options, inputs, result.counts.compute_seconds);
  for (uint32_t row : packed.score_row) result.rows.push_back(logits[row]);
  return result;
}

std::vector<float> PackedDecoder::RunOnCpu(const Ort::RunOptions& options, std::span<const GraphInput> inputs, double& compute_seconds) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<const char*> names;
  std::vector<Ort::Value> values;
  for (const GraphInput& input : inputs) {
    names.push_back(input.name);
    // ONNX Runtime reads inputs only, but its type has no const.
    auto* data = const_cast<int32_t*>(input.data.data());
    values.push_back(Ort::Value::CreateTensor<int32_t>(memory, data, input.data.size(), input.shape.data(), input.shape.size()));
  }
  const Stopwatch stopwatch(compute_seconds);
  const std::vector<Ort::Value> outputs = session_.Run(options, names, values, {&kOutput, 1});
  const float* logits = outputs.front().GetTensorData<float>();
  return {logits, logits + outputs.front().GetTensorTypeAndShapeInfo().GetElementCount()};
}

std::vector<float> PackedDecoder::RunOnGpu(const Ort::RunOptions& options, std::span<const GraphInput> inputs, int64_t sequences,
                                           double& compute_seconds) {
  try {
    std::unique_lock lock(gpu_, std::defer_lock);
    // The WebGPU provider takes no copies while it runs.
    if (device_.kind == DeviceKind::kWebGpu) lock.lock();
    std::unique_ptr<GpuSlot> slot = TakeSlot();
    slot->Bind(inputs, kOutput, sequences);
    if (!lock) lock.lock();
    const Stopwatch stopwatch(compute_seconds);
    const std::span<const float> output = slot->Run(session_.ort(), options);
    std::vector<float> logits(output.begin(), output.end());
    const std::lock_guard slots_lock(slots_mutex_);
    slots_.push_back(std::move(slot));
    return logits;
  } catch (const std::exception& exception) {
    // The slot is gone with whatever the failed run left bound.
    throw Classify(exception, ErrorCode::kRunFailed);
  }
}

std::unique_ptr<GpuSlot> PackedDecoder::TakeSlot() {
  const std::lock_guard lock(slots_mutex_);
  if (slots_.empty()) return std::make_unique<GpuSlot>(session_.ort(), device_);
  std::unique_ptr<GpuSlot> slot = std::move(slots_.back());
  slots_.pop_back();
  return slot;
}

}  // namespace zrank
