#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace zrank {

// A GPU as CUDA numbers them in this process (CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER apply).
struct CudaDevice {
  int index = 0;
  std::string name;
  int compute_major = 0;  // of the compute capability: 9 of 9.0
  int compute_minor = 0;
  size_t total_memory = 0;  // bytes
  // Bytes. Only of a device that this process has a primary context on (a session's, say): making one takes hundreds of
  // megabytes of the device itself.
  std::optional<size_t> free_memory;
};

// NVIDIA's driver, asked through libcuda.so.1: no header and no toolkit is needed. The library stays open.
// Safe to call from any thread.
class CudaDriver {
 public:
  // Throws DEVICE_UNAVAILABLE with the loader's own words where there is no driver, and with the driver's where it
  // finds no device: "cuInit: CUDA_ERROR_NO_DEVICE (100), no CUDA-capable device is detected".
  explicit CudaDriver(const std::string& library_path = "libcuda.so.1");

  // The newest CUDA that the driver serves: 13000 for 13.0. https://docs.nvidia.com/cuda/cuda-driver-api:
  // cuDriverGetVersion
  int Version() const;
  int DeviceCount() const;
  // Throws DEVICE_UNAVAILABLE for an index that no device has.
  CudaDevice Describe(int index) const;
  std::vector<CudaDevice> Devices() const;

 private:
  friend class CudaContext;

  template <typename... Parameters, typename... Arguments>
  void Call(const char* name, int (*function)(Parameters...), Arguments... arguments) const;
  std::optional<size_t> FreeMemory(int device) const;

  // The prototypes of cuda.h, where CUresult, CUdevice and CUdevice_attribute are ints and CUcontext is a pointer.
  int (*init_)(unsigned flags);
  int (*get_error_name_)(int error, const char** text);
  int (*get_error_string_)(int error, const char** text);
  int (*driver_get_version_)(int* version);
  int (*device_get_count_)(int* count);
  int (*device_get_)(int* device, int index);
  int (*device_get_name_)(char* name, int size, int device);
  int (*device_get_attribute_)(int* value, int attribute, int device);
  int (*device_total_mem_)(size_t* bytes, int device);
  int (*primary_ctx_get_state_)(int device, unsigned* flags, int* active);
  int (*primary_ctx_set_flags_)(int device, unsigned flags);
  int (*primary_ctx_retain_)(void** context, int device);
  int (*primary_ctx_release_)(int device);
  int (*ctx_set_current_)(void* context);
  int (*ctx_push_current_)(void* context);
  int (*ctx_pop_current_)(void** context);
  int (*mem_get_info_)(size_t* free, size_t* total);
};

// The context that everyone in this process who uses a GPU shares, CUDA's runtime too; it stays while one of these
// lives. Made before a session, it has threads sleep, not spin, while they wait for the device.
class CudaContext {
 public:
  // Throws DEVICE_UNAVAILABLE as CudaDriver does.
  explicit CudaContext(int index, const std::string& library_path = "libcuda.so.1");
  ~CudaContext();
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;

  // What this thread does from now on with CUDA's runtime, it does on this GPU. Memory that is pinned and copies that
  // are begun by a thread without a context would make one on GPU 0.
  void MakeCurrent() const;

 private:
  const CudaDriver driver_;
  int device_ = 0;
  void* context_ = nullptr;
};

}  // namespace zrank
