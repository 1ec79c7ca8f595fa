#pragma once

#include <onnxruntime_cxx_api.h>

#include "core/contract.h"

namespace zrank {

// Where a session runs.
struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;  // of the GPU, for CUDA

  bool is_gpu() const { return kind != DeviceKind::kCpu; }
};

// Adds the device's execution provider to the options. Throws DEVICE_UNAVAILABLE with the loader's own words, such as
// "libcublasLt.so.13: cannot open shared object file".
void AppendProvider(Ort::SessionOptions& options, const Device& device);

}  // namespace zrank
