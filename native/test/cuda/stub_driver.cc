// Stands in for libcuda.so.1 where there is no GPU: one context, and kernels that run on the emulator at once. Refuses
// what the real driver refuses of a module and its functions.

#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "test/cuda/emulated_kernels.h"

#define ZRANK_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

enum {
  kSuccess = 0,
  kInvalidValue = 1,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kInvalidHandle = 400,
  kNotFound = 500
};

struct Function {
  std::string name;
  int shared_bytes = 48 * 1024;
};

char the_context, module_of_image;
std::vector<void*> stack;  // of current contexts
void* Current() { return stack.empty() ? nullptr : stack.back(); }
std::map<std::string, Function> functions;

}  // namespace

ZRANK_EXPORT int cuGetErrorString(int error, const char** text) {
  *text = error == kNotFound ? "named symbol not found" : nullptr;
  return kSuccess;
}
ZRANK_EXPORT int cuInit(unsigned flags) { return flags == 0 ? kSuccess : kInvalidValue; }
ZRANK_EXPORT int cuDevicePrimaryCtxRetain(void** context, int device) {
  return device == 0 ? (*context = &the_context, kSuccess) : kInvalidValue;
}
ZRANK_EXPORT int cuCtxSetCurrent(void* context) {
  return context == &the_context ? (stack = {context}, kSuccess) : kInvalidContext;
}
ZRANK_EXPORT int cuCtxSynchronize() { return kSuccess; }
ZRANK_EXPORT int cuMemAlloc_v2(uint64_t* address, size_t bytes) {
  return *address = reinterpret_cast<uint64_t>(std::aligned_alloc(256, (bytes + 255) / 256 * 256)), kSuccess;
}
ZRANK_EXPORT int cuMemFree_v2(uint64_t address) { return std::free(reinterpret_cast<void*>(address)), kSuccess; }
ZRANK_EXPORT int cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t bytes) {
  return std::memcpy(reinterpret_cast<void*>(to), from, bytes), kSuccess;
}
ZRANK_EXPORT int cuMemcpyDtoH_v2(void* to, uint64_t from, size_t bytes) {
  return std::memcpy(to, reinterpret_cast<void*>(from), bytes), kSuccess;
}
ZRANK_EXPORT int cuStreamGetCtx(void*, void** context) { return *context = &the_context, kSuccess; }
ZRANK_EXPORT int cuCtxGetCurrent(void** context) { return *context = Current(), kSuccess; }
ZRANK_EXPORT int cuCtxPushCurrent_v2(void* context) {
  if (context != &the_context) return kInvalidContext;
  return stack.push_back(context), kSuccess;
}
ZRANK_EXPORT int cuCtxPopCurrent_v2(void** context) { return *context = Current(), stack.pop_back(), kSuccess; }
ZRANK_EXPORT int cuModuleLoadData(void** module, const void* image) {
  if (Current() == nullptr) return kInvalidContext;
  // The magic number of a fatbin, fatbinary_section.h.
  uint32_t magic = 0;
  std::memcpy(&magic, image, sizeof(magic));
  return magic == 0xba55ed50 ? (*module = &module_of_image, kSuccess) : kInvalidImage;
}
ZRANK_EXPORT int cuModuleGetFunction(void** function, void* module, const char* name) {
  if (module != &module_of_image) return kInvalidHandle;
  if (!zrank::cuda::emulation::HasKernel(name)) return kNotFound;
  functions[name].name = name;
  return *function = &functions[name], kSuccess;
}
ZRANK_EXPORT int cuFuncSetAttribute(void* function, int attribute, int value) {
  if (attribute != 8 || value < 0 || value > 227 * 1024) return kInvalidValue;
  return static_cast<Function*>(function)->shared_bytes = value, kSuccess;
}
ZRANK_EXPORT int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                                unsigned block_y, unsigned block_z, unsigned shared_bytes, void*, void** parameters,
                                void** extra) {
  const auto& [name, most] = *static_cast<Function*>(function);
  if (Current() == nullptr || grid_x == 0 || grid_y * grid_z * block_y * block_z != 1 || extra != nullptr ||
      shared_bytes > static_cast<unsigned>(most))
    return kInvalidValue;
  zrank::cuda::emulation::EmulatedLauncher().Start({name, grid_x, static_cast<int>(block_x), shared_bytes},
                                                   parameters[0], nullptr);
  return kSuccess;
}
