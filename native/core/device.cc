#include "core/device.h"

#include <array>
#include <string>

#include "core/error.h"
#include "core/ort_runtime.h"

namespace zrank {

namespace {

void AppendCuda(Ort::SessionOptions& options, int index) {
  const OrtApi& api = Ort::GetApi();
  OrtCUDAProviderOptionsV2* cuda = nullptr;
  Ort::ThrowOnError(api.CreateCUDAProviderOptions(&cuda));
  const std::string id = std::to_string(index);
  // Batches differ in shape: an arena that doubles would keep up to twice of what is used. fp32 means fp32.
  // FlashAttention alone (1) keeps no plan a shape, as cuDNN's does; cuDNN is then not needed at all.
  const std::array keys{"device_id",   "arena_extend_strategy", "use_tf32",
                        "sdpa_kernel", "enable_cudnn",          "use_ep_level_unified_stream"};
  const std::array values{id.c_str(), "kSameAsRequested", "0", "1", "0", "1"};
  // The update is what loads the provider's library: its status carries the loader's text, the append's does not.
  OrtStatus* status = api.UpdateCUDAProviderOptions(cuda, keys.data(), values.data(), keys.size());
  if (status == nullptr) status = api.SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda);
  api.ReleaseCUDAProviderOptions(cuda);
  Ort::ThrowOnError(status);
}

}  // namespace

void AppendProvider(Ort::SessionOptions& options, const Device& device) {
  try {
    if (device.kind == DeviceKind::kCuda) AppendCuda(options, device.index);
    if (device.kind == DeviceKind::kWebGpu) options.AppendExecutionProvider("WebGPU", {});
  } catch (const Ort::Exception& exception) {
    const Error error = Classify(exception, ErrorCode::kDeviceUnavailable);
    throw Error(error.code(), OrtRuntime::Get().provider_folder().Named(error.what()));
  }
}

}  // namespace zrank
