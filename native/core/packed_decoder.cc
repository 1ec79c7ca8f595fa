#include "core/packed_decoder.h"

#include <algorithm>
#include <array>

#include "core/contract.h"
#include "core/error.h"
#include "core/stopwatch.h"
#include "core/tiles.h"

namespace zrank {

namespace {

std::unique_ptr<CudaContext> ContextOf(const Device& device) {
  return device.kind == DeviceKind::kCuda ? std::make_unique<CudaContext>(device.index) : nullptr;
}

}  // namespace

PackedDecoder::PackedDecoder(const SessionSpec& spec, int64_t max_squares)
    : device_(spec.device), max_squares_(max_squares), context_(ContextOf(spec.device)), session_(spec) {
  const std::vector<std::string> inputs = session_.ort().GetInputNames();
  const auto takes = [&](const char* input) { return std::find(inputs.begin(), inputs.end(), input) != inputs.end(); };
  layout_ = takes(graph::kBlockTable) ? Layout::kPaged : takes(graph::kTiles) ? Layout::kTiled : Layout::kPadded;
}

RunResult PackedDecoder::Run(std::span<const Sequence> batch, const Ort::RunOptions& options) {
  PackedBatch packed = Pack(batch);
  RunResult result;
  result.counts = {static_cast<uint64_t>(packed.tokens()), static_cast<uint64_t>(packed.sequences() * packed.longest)};
  double& seconds = result.counts.compute_seconds;
  const std::vector<float> logits = layout_ == Layout::kPaged   ? RunPaged(options, LayOutPaged(packed), seconds)
                                    : layout_ == Layout::kTiled ? RunTiled(options, packed, seconds)
                                                                : RunPadded(options, packed, seconds);
  for (uint32_t row : packed.score_row) result.rows.push_back(logits[row]);
  return result;
}

std::vector<float> PackedDecoder::RunPadded(const Ort::RunOptions& options, PackedBatch& packed,
                                            double& compute_seconds) {
  if (device_.is_gpu()) PadToBuckets(packed);
  const int64_t tokens = packed.tokens(), sequences = packed.sequences();
  if (sequences * packed.longest * packed.longest > max_squares_) {
    throw Error(ErrorCode::kDeviceOutOfMemory, "the scores of attention over " + std::to_string(sequences) + " x " +
                                                   std::to_string(packed.longest) +
                                                   " tokens need a larger tensor than the device takes");
  }
  const std::vector<int32_t> total{packed.longest};
  const std::array inputs{
      GraphInput(graph::kInputIds, packed.input_ids, {tokens}),
      GraphInput(graph::kExpand, packed.expand, {sequences, packed.longest}),
      GraphInput(graph::kCompact, packed.compact, {tokens}),
      GraphInput(graph::kLast, packed.last, {sequences}),
      GraphInput(graph::kLastFlat, packed.last_flat, {sequences}),
      GraphInput(graph::kSeqlensK, packed.seqlens_k, {sequences}),
      GraphInput(graph::kTotalSequenceLength, total, {1}),
  };
  return device_.is_gpu() ? RunOnGpu(options, inputs, sequences, compute_seconds)
                          : RunOnCpu(options, inputs, compute_seconds);
}

std::vector<float> PackedDecoder::RunPaged(const Ort::RunOptions& options, const PagedBatch& paged,
                                           double& compute_seconds) {
  const int64_t tokens = paged.tokens(), sequences = paged.sequences();
  const auto expanded = static_cast<int64_t>(paged.expand.size()), last = static_cast<int64_t>(paged.last.size());
  const std::vector<int64_t> blocks{paged.blocks, 1};
  const std::array inputs{
      GraphInput(graph::kInputIds, paged.input_ids, {tokens}),
      GraphInput(graph::kExpand, paged.expand, {expanded}),
      GraphInput(graph::kCompact, paged.compact, {tokens}),
      GraphInput(graph::kLast, paged.last, {last}),
      GraphInput(graph::kLastFlat, paged.last_flat, {last}),
      GraphInput(graph::kCumulativeSequenceLength, paged.cumulative_sequence_length, {sequences + 1}),
      GraphInput(graph::kPastSeqlens, paged.past_seqlens, {sequences}),
      GraphInput(graph::kBlockTable, paged.block_table,
                 {sequences, static_cast<int64_t>(paged.block_table.size()) / sequences}),
      GraphInput(graph::kAttentionMetadata, paged.attention_metadata, {2}),
      GraphInput(graph::kKeyBlocks, blocks, {2}),
      GraphInput(graph::kValueBlocks, blocks, {2}),
  };
  return RunOnGpu(options, inputs, last, compute_seconds);
}

std::vector<float> PackedDecoder::RunTiled(const Ort::RunOptions& options, PackedBatch& packed,
                                           double& compute_seconds) {
  PadToBuckets(packed);
  const TiledBatch tiled = LayOutTiles(packed);
  return RunOnGpu(options, InputsOf(tiled), tiled.sequences(), compute_seconds);
}

std::vector<float> PackedDecoder::RunOnCpu(const Ort::RunOptions& options, std::span<const GraphInput> inputs,
                                           double& compute_seconds) {
  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<const char*> names;
  std::vector<Ort::Value> values;
  for (const GraphInput& input : inputs) {
    names.push_back(input.name);
    // ONNX Runtime reads inputs only, but its type has no const.
    values.push_back(input.Tensor(memory, const_cast<std::byte*>(input.bytes.data())));
  }
  const Stopwatch stopwatch(compute_seconds);
  const std::vector<Ort::Value> outputs = session_.Run(options, names, values, {&graph::kLogits, 1});
  const float* logits = outputs.front().GetTensorData<float>();
  return {logits, logits + outputs.front().GetTensorTypeAndShapeInfo().GetElementCount()};
}

std::vector<float> PackedDecoder::RunOnGpu(const Ort::RunOptions& options, std::span<const GraphInput> inputs,
                                           int64_t sequences, double& compute_seconds) {
  try {
    if (context_) context_->MakeCurrent();
    std::unique_lock lock(gpu_, std::defer_lock);
    // The WebGPU provider takes no copies while it runs.
    if (device_.kind == DeviceKind::kWebGpu) lock.lock();
    std::unique_ptr<GpuSlot> slot = TakeSlot();
    slot->Bind(inputs, graph::kLogits, sequences);
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
