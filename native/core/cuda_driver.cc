#include "core/cuda_driver.h"

#include <array>

#include "core/error.h"
#include "core/shared_library.h"

namespace zrank {

namespace {

// CUdevice_attribute of cuda.h.
constexpr int kComputeCapabilityMajor = 75;
constexpr int kComputeCapabilityMinor = 76;
// CU_CTX_SCHED_BLOCKING_SYNC there.
constexpr unsigned kBlockingSync = 4;

}  // namespace

template <typename... Parameters, typename... Arguments>
void CudaDriver::Call(const char* name, int (*function)(Parameters...), Arguments... arguments) const {
  const int result = function(arguments...);
  if (result == 0) return;
  const char* error = nullptr;
  const char* meaning = nullptr;
  get_error_name_(result, &error);
  get_error_string_(result, &meaning);
  throw Error(ErrorCode::kDeviceUnavailable, std::string(name) + ": " + (error ? error : "CUDA error") + " (" +
                                                 std::to_string(result) + ")" +
                                                 (meaning ? std::string(", ") + meaning : ""));
}

CudaDriver::CudaDriver(const std::string& library_path) {
  const SharedLibrary library(library_path, SharedLibrary::Symbols::kLocal, ErrorCode::kDeviceUnavailable);
  library.Find("cuInit", init_);
  library.Find("cuGetErrorName", get_error_name_);
  library.Find("cuGetErrorString", get_error_string_);
  library.Find("cuDriverGetVersion", driver_get_version_);
  library.Find("cuDeviceGetCount", device_get_count_);
  library.Find("cuDeviceGet", device_get_);
  library.Find("cuDeviceGetName", device_get_name_);
  library.Find("cuDeviceGetAttribute", device_get_attribute_);
  library.Find("cuDeviceTotalMem_v2", device_total_mem_);
  library.Find("cuDevicePrimaryCtxGetState", primary_ctx_get_state_);
  library.Find("cuDevicePrimaryCtxSetFlags_v2", primary_ctx_set_flags_);
  library.Find("cuDevicePrimaryCtxRetain", primary_ctx_retain_);
  library.Find("cuDevicePrimaryCtxRelease_v2", primary_ctx_release_);
  library.Find("cuCtxSetCurrent", ctx_set_current_);
  library.Find("cuCtxPushCurrent_v2", ctx_push_current_);
  library.Find("cuCtxPopCurrent_v2", ctx_pop_current_);
  library.Find("cuMemGetInfo_v2", mem_get_info_);
  Call("cuInit", init_, 0u);
}

int CudaDriver::Version() const {
  int version = 0;
  Call("cuDriverGetVersion", driver_get_version_, &version);
  return version;
}

int CudaDriver::DeviceCount() const {
  int count = 0;
  Call("cuDeviceGetCount", device_get_count_, &count);
  return count;
}

CudaDevice CudaDriver::Describe(int index) const {
  int device = 0;
  Call("cuDeviceGet", device_get_, &device, index);
  std::array<char, 256> name{};
  CudaDevice described;
  described.index = index;
  Call("cuDeviceGetName", device_get_name_, name.data(), static_cast<int>(name.size()), device);
  described.name = name.data();
  Call("cuDeviceGetAttribute", device_get_attribute_, &described.compute_major, kComputeCapabilityMajor, device);
  Call("cuDeviceGetAttribute", device_get_attribute_, &described.compute_minor, kComputeCapabilityMinor, device);
  Call("cuDeviceTotalMem", device_total_mem_, &described.total_memory, device);
  described.free_memory = FreeMemory(device);
  return described;
}

std::vector<CudaDevice> CudaDriver::Devices() const {
  std::vector<CudaDevice> devices;
  for (int index = 0, count = DeviceCount(); index < count; ++index) devices.push_back(Describe(index));
  return devices;
}

std::optional<size_t> CudaDriver::FreeMemory(int device) const {
  unsigned flags = 0;
  int active = 0;
  Call("cuDevicePrimaryCtxGetState", primary_ctx_get_state_, device, &flags, &active);
  if (!active) return std::nullopt;
  void* context = nullptr;
  Call("cuDevicePrimaryCtxRetain", primary_ctx_retain_, &context, device);
  size_t free = 0;
  size_t total = 0;
  int result = ctx_push_current_(context);
  if (result == 0) {
    result = mem_get_info_(&free, &total);
    ctx_pop_current_(&context);
  }
  primary_ctx_release_(device);
  if (result != 0) return std::nullopt;
  return free;
}

CudaContext::CudaContext(int index, const std::string& library_path) : driver_(library_path) {
  driver_.Call("cuDeviceGet", driver_.device_get_, &device_, index);
  // Where somebody has the context already, waiting is as they chose: nothing fails for it.
  driver_.primary_ctx_set_flags_(device_, kBlockingSync);
  driver_.Call("cuDevicePrimaryCtxRetain", driver_.primary_ctx_retain_, &context_, device_);
}

CudaContext::~CudaContext() { driver_.primary_ctx_release_(device_); }

void CudaContext::MakeCurrent() const { driver_.Call("cuCtxSetCurrent", driver_.ctx_set_current_, context_); }

}  // namespace zrank
