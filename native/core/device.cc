#include "core/device.h"

#include <vector>

#include "core/error.h"
#include "core/ort_runtime.h"

namespace zrank {

namespace {

void AppendCuda(Ort::SessionOptions& options, const Device& device) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* cuda = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&cuda));
  const auto given = CudaProviderOptions(device);
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : given) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  // The update is what loads the provider's library: its status carries the loader's text, the append's does not.
  OrtStatus* status = api.UpdateCUDAProviderOptions(cuda, keys.data(), values.data(), keys.size());
  if (status == nullptr) status = api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda);
  api.ReleaseCUDAProviderOptions(cuda);
  Ort::ThrowOnError(status);
}

}  // namespace

// Without a stream for all (use_ep_level_unified_stream): each thread then has its own, on which its copies overlap
// another's batch, and ONNX Runtime sets the device before each run.
std::map<std::string, std::string> CudaProviderOptions(const Device& device) {
  std::map<std::string, std::string> options{
      {"device_id", std::to_string(device.index)},
      // Batches differ in shape: an arena that doubles would keep up to twice of what is used.
      {"arena_extend_strategy", "kSameAsRequested"},
      // fp32 means fp32.
      {"use_tf32", "0"},
      // FlashAttention alone keeps no plan a shape, as cuDNN's does; cuDNN is then not needed at all.
      {"sdpa_kernel", "1"},
      {"enable_cudnn", "0"},
  };
  for (const auto& [key, value] : device.provider_options) options[key] = value;
  return options;
}

void AppendProvider(Ort::SessionOptions& options, const Device& device) {
  try {
    if (device.kind == DeviceKind::kCuda) AppendCuda(options, device);
    if (device.kind == DeviceKind::kWebGpu) options.AppendExecutionProvider("WebGPU", {});
  } catch (const Ort::Exception& exception) {
    const Error error = Classify(exception, ErrorCode::kDeviceUnavailable);
    throw Error(error.code(), OrtRuntime::Get().provider_folder().Named(error.what()));
  }
}

}  // namespace zrank
