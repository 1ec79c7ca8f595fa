#pragma once

#include <string>

#include "kernels/cuda/driver_launcher.h"
#include "test/cuda/kernel_cases.h"

namespace zrank::cuda::test {

// On the first GPU, through its driver: the compiled kernels, as the engine launches them.
class GpuMachine : public Machine {
 public:
  // Throws an Error with the driver's words where there is none, or no GPU.
  explicit GpuMachine(const std::string& library = "libcuda.so.1");
  void Run(std::span<const Buffer> buffers, uint64_t seed, const Start& start) override;

 private:
  DriverLauncher launcher_;
  int (*mem_alloc_)(uint64_t* address, size_t bytes);
  int (*mem_free_)(uint64_t address);
  int (*memcpy_to_device_)(uint64_t to, const void* from, size_t bytes);
  int (*memcpy_to_host_)(void* to, uint64_t from, size_t bytes);
  int (*ctx_synchronize_)();
};

}  // namespace zrank::cuda::test
