#pragma once

#include <onnxruntime_cxx_api.h>

#include <map>
#include <string>

#include "core/contract.h"

namespace zrank {

// Where a session runs.
struct Device {
  DeviceKind kind = DeviceKind::kCpu;
  int index = 0;  // of the GPU, for CUDA
  // Options of CUDA's provider beside ours, or in their place (onnxruntime/core/providers/cuda).
  std::map<std::string, std::string> provider_options = {};

  bool is_gpu() const { return kind != DeviceKind::kCpu; }
};

// All options of CUDA's provider for a device.
std::map<std::string, std::string> CudaProviderOptions(const Device& device);

// Adds the device's execution provider to the options. Throws DEVICE_UNAVAILABLE with the loader's own words, such as
// "libcublasLt.so.13: cannot open shared object file".
void AppendProvider(Ort::SessionOptions& options, const Device& device);

}  // namespace zrank
