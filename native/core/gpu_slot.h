#pragma once

#include <onnxruntime_cxx_api.h>

#include <span>

#include "core/device.h"
#include "core/graph_input.h"

namespace zrank {

// What a run on a GPU needs beside the session, kept from run to run: a binding, and host memory that the device copies
// from and to, pinned where the device is CUDA's. The memory grows to the largest batch and stays.
class GpuSlot {
 public:
  // What the memory is to ONNX Runtime, whoever allocated it: the CPU's, which it copies from and to. A tensor labelled
  // CudaPinned it hands to the kernels as it is, since 1.30: GroupQueryAttention takes such a total_sequence_length for
  // a GPU's and reads none, and an output is copied onto itself, which is an error (ORT #28037).
  static Ort::MemoryInfo TensorMemory() { return Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault); }

  GpuSlot(Ort::Session& session, const Device& device);

  // Has the inputs copied to the device and binds an output of `rows` floats, [rows, 1].
  void Bind(std::span<const GraphInput> inputs, const char* output, int64_t rows);
  // Runs the session and waits for the device. The output is valid until the next Bind.
  std::span<const float> Run(Ort::Session& session, const Ort::RunOptions& options);

 private:
  void Reserve(size_t bytes);

  const DeviceKind kind_;
  Ort::IoBinding binding_;
  Ort::MemoryInfo memory_;
  Ort::Allocator allocator_;
  Ort::MemoryAllocation block_{nullptr, nullptr, 0};
  std::span<const float> output_;
};

}  // namespace zrank
