#include "kernels/cuda/driver_launcher.h"

#include "core/error.h"
#include "core/shared_library.h"
#include "kernels/cuda/fatbin.h"

namespace zrank::cuda {

namespace {

// CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES of cuda.h. Up to 48 KiB need not be asked for.
constexpr int kMaxDynamicSharedBytes = 8;
// The most blocks of a grid in its first dimension.
constexpr int64_t kMaxBlocks = 0x7fffffff;

}  // namespace

void RequireDriver(const char* name, int result, int (*get_error_string)(int error, const char** text)) {
  if (result == 0) return;
  const char* meaning = nullptr;
  get_error_string(result, &meaning);
  throw Error(ErrorCode::kRunFailed,
              "CUDA failure " + std::to_string(result) + ": " + (meaning ? meaning : "unknown") + " ; in " + name);
}

template <typename... Parameters, typename... Arguments>
void DriverLauncher::Call(const char* name, int (*function)(Parameters...), Arguments... arguments) const {
  RequireDriver(name, function(arguments...), get_error_string_);
}

void DriverLauncher::Open() {
  if (is_open_) return;
  const SharedLibrary library(library_, SharedLibrary::Symbols::kLocal, ErrorCode::kDeviceUnavailable);
  library.Find("cuGetErrorString", get_error_string_);
  library.Find("cuStreamGetCtx", stream_get_ctx_);
  library.Find("cuCtxGetCurrent", ctx_get_current_);
  library.Find("cuCtxPushCurrent_v2", ctx_push_current_);
  library.Find("cuCtxPopCurrent_v2", ctx_pop_current_);
  library.Find("cuModuleLoadData", module_load_data_);
  library.Find("cuModuleGetFunction", module_get_function_);
  library.Find("cuFuncSetAttribute", func_set_attribute_);
  library.Find("cuLaunchKernel", launch_kernel_);
  is_open_ = true;
}

void* DriverLauncher::Function(void* context, const Launch& launch) {
  void*& function = functions_[{context, launch.kernel}];
  if (function != nullptr) return function;
  void*& module = modules_[context];
  if (module == nullptr) {
    if (Fatbin() == nullptr) throw Error(ErrorCode::kDeviceUnavailable, "this build of zrank has no CUDA kernels");
    Call("cuModuleLoadData", module_load_data_, &module, Fatbin());
  }
  void* found = nullptr;
  Call("cuModuleGetFunction", module_get_function_, &found, module, launch.kernel.c_str());
  Call("cuFuncSetAttribute", func_set_attribute_, found, kMaxDynamicSharedBytes, static_cast<int>(launch.shared_bytes));
  return function = found;
}

void DriverLauncher::Start(const Launch& launch, const void* arguments, void* stream) {
  if (launch.blocks == 0) return;
  if (launch.blocks > kMaxBlocks)
    throw Error(ErrorCode::kRunFailed, launch.kernel + " would take " + std::to_string(launch.blocks) + " blocks");
  void* function = nullptr;
  void* context = nullptr;
  {
    const std::lock_guard lock(mutex_);
    Open();
    // The stream's own context, whichever the thread has: that of the GPU that the session runs on.
    if (stream == nullptr) {
      Call("cuCtxGetCurrent", ctx_get_current_, &context);
    } else {
      Call("cuStreamGetCtx", stream_get_ctx_, stream, &context);
    }
  }
  Call("cuCtxPushCurrent", ctx_push_current_, context);
  struct Pop {
    int (*pop)(void**);
    ~Pop() {
      void* context = nullptr;
      pop(&context);
    }
  } pop{ctx_pop_current_};
  {
    const std::lock_guard lock(mutex_);
    function = Function(context, launch);
  }
  void* parameters[] = {const_cast<void*>(arguments)};
  const auto blocks = static_cast<unsigned>(launch.blocks), threads = static_cast<unsigned>(launch.threads);
  Call("cuLaunchKernel", launch_kernel_, function, blocks, 1u, 1u, threads, 1u, 1u, launch.shared_bytes, stream,
       static_cast<void**>(parameters), static_cast<void**>(nullptr));
}

}  // namespace zrank::cuda
