#include "test/cuda/gpu_machine.h"

#include <stdexcept>

#include "core/shared_library.h"

namespace zrank::cuda::test {

namespace {

void Require(const char* name, int result) {
  if (result != 0) throw std::runtime_error(std::string(name) + " gives " + std::to_string(result));
}

}  // namespace

GpuMachine::GpuMachine(const std::string& path) : launcher_(path) {
  const SharedLibrary library(path, SharedLibrary::Symbols::kLocal, ErrorCode::kDeviceUnavailable);
  library.Find("cuMemAlloc_v2", mem_alloc_);
  library.Find("cuMemFree_v2", mem_free_);
  library.Find("cuMemcpyHtoD_v2", memcpy_to_device_);
  library.Find("cuMemcpyDtoH_v2", memcpy_to_host_);
  library.Find("cuCtxSynchronize", ctx_synchronize_);
  int (*init)(unsigned);
  int (*primary_ctx_retain)(void**, int);
  int (*ctx_set_current)(void*);
  library.Find("cuInit", init);
  library.Find("cuDevicePrimaryCtxRetain", primary_ctx_retain);
  library.Find("cuCtxSetCurrent", ctx_set_current);
  Require("cuInit", init(0));
  // Device 0 is numbered 0.
  void* context = nullptr;
  Require("cuDevicePrimaryCtxRetain", primary_ctx_retain(&context, 0));
  Require("cuCtxSetCurrent", ctx_set_current(context));
}

void GpuMachine::Run(std::span<const Buffer> buffers, uint64_t, const Start& start) {
  struct Memory {
    int (*free)(uint64_t);
    std::vector<uint64_t> addresses;
    ~Memory() {
      for (const uint64_t address : addresses)
        if (address != 0) free(address);
    }
  } memory{mem_free_, {}};
  std::vector<void*> addresses;
  for (const Buffer& buffer : buffers) {
    uint64_t address = 0;
    if (buffer.data != nullptr) {
      Require("cuMemAlloc", mem_alloc_(&address, buffer.bytes));
      memory.addresses.push_back(address);
      // Outputs too: what is not written stays no number.
      Require("cuMemcpyHtoD", memcpy_to_device_(address, buffer.data, buffer.bytes));
    }
    addresses.push_back(reinterpret_cast<void*>(address));
  }
  start(launcher_, addresses);
  Require("cuCtxSynchronize", ctx_synchronize_());
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].is_output)
      Require("cuMemcpyDtoH",
              memcpy_to_host_(buffers[i].data, reinterpret_cast<uint64_t>(addresses[i]), buffers[i].bytes));
  }
}

}  // namespace zrank::cuda::test
