#include "core/gpu_slot.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

namespace zrank {

namespace {

// Tensors begin at lines of the cache.
constexpr size_t kAlignment = 64;

size_t Aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// Whose allocator the memory comes from.
Ort::MemoryInfo HostMemory(const Device& device) {
  if (device.kind == DeviceKind::kCuda) return {"CudaPinned", OrtDeviceAllocator, device.index, OrtMemTypeCPUOutput};
  return Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
}

}  // namespace

GpuSlot::GpuSlot(Ort::Session& session, const Device& device)
    : kind_(device.kind), binding_(session), memory_(TensorMemory()), allocator_(session, HostMemory(device)) {}

void GpuSlot::Reserve(size_t bytes) {
  if (bytes <= block_.size()) return;
  // The binding still knows tensors of the old block.
  binding_.ClearBoundInputs();
  binding_.ClearBoundOutputs();
  block_ = allocator_.GetAllocation(bytes + bytes / 2);
}

void GpuSlot::Bind(std::span<const GraphInput> inputs, const char* output, int64_t rows) {
  const auto output_size = static_cast<size_t>(rows);
  size_t bytes = Aligned(output_size * sizeof(float));
  for (const GraphInput& input : inputs) bytes += Aligned(input.bytes.size());
  Reserve(bytes);

  auto* next = static_cast<std::byte*>(block_.get());
  const auto take = [&next](size_t size) { return std::exchange(next, next + Aligned(size)); };
  auto* logits = reinterpret_cast<float*>(take(output_size * sizeof(float)));
  const std::array<int64_t, 2> output_shape{rows, 1};
  binding_.BindOutput(
      output, Ort::Value::CreateTensor<float>(memory_, logits, output_size, output_shape.data(), output_shape.size()));
  output_ = {logits, output_size};
  for (const GraphInput& input : inputs) {
    std::byte* data = take(input.bytes.size());
    std::memcpy(data, input.bytes.data(), input.bytes.size());
    binding_.BindInput(input.name, input.Tensor(memory_, data));
  }
  // On CUDA this would wait for the whole device, another thread's batch included; there the copies and the run are on
  // one stream, this thread's.
  if (kind_ != DeviceKind::kCuda) binding_.SynchronizeInputs();
}

std::span<const float> GpuSlot::Run(Ort::Session& session, const Ort::RunOptions& options) {
  session.Run(options, binding_);
  // CUDA's provider has waited for its stream when Run returns.
  if (kind_ != DeviceKind::kCuda) binding_.SynchronizeOutputs();
  return output_;
}

}  // namespace zrank
