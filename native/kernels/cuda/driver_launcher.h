#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"

namespace zrank::cuda {

// Throws RUN_FAILED, in the words of ONNX Runtime, where the driver's function `name` gave another result than success.
void RequireDriver(const char* name, int result, int (*get_error_string)(int error, const char** text));

// Runs the compiled kernels through NVIDIA's driver: no CUDA toolkit takes part. A context gets its copy of them at the
// first launch in it, for as long as the process lives. Safe to call from any thread.
class DriverLauncher : public Launcher {
 public:
  // The library is opened at the first launch.
  explicit DriverLauncher(std::string library = "libcuda.so.1") : library_(std::move(library)) {}
  // Throws an Error: DEVICE_UNAVAILABLE where there is no driver, RUN_FAILED where it refuses, in the words of ONNX
  // Runtime, by which core/error.cc knows what it means: "CUDA failure 209: no kernel image is available for execution
  // on the device ; in cuModuleLoadData".
  void Start(const Launch& launch, const void* arguments, void* stream) override;

 private:
  void Open();
  // The kernel in a context, which is current.
  void* Function(void* context, const Launch& launch);
  template <typename... Parameters, typename... Arguments>
  void Call(const char* name, int (*function)(Parameters...), Arguments... arguments) const;

  const std::string library_;
  std::mutex mutex_;
  bool is_open_ = false;
  std::map<void*, void*> modules_;                            // by context
  std::map<std::pair<void*, std::string>, void*> functions_;  // by context and name

  // The prototypes of cuda.h, where CUresult and CUfunction_attribute are ints, and CUcontext, CUstream, CUmodule and
  // CUfunction are pointers.
  int (*get_error_string_)(int error, const char** text);
  int (*stream_get_ctx_)(void* stream, void** context);
  int (*ctx_get_current_)(void** context);
  int (*ctx_push_current_)(void* context);
  int (*ctx_pop_current_)(void** context);
  int (*module_load_data_)(void** module, const void* image);
  int (*module_get_function_)(void** function, void* module, const char* name);
  int (*func_set_attribute_)(void* function, int attribute, int value);
  int (*launch_kernel_)(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                        unsigned block_y, unsigned block_z, unsigned shared_bytes, void* stream, void** parameters,
                        void** extra);
};

}  // namespace zrank::cuda
