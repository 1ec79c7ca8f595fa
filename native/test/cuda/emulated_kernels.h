#pragma once

#include "kernels/cuda/launch.h"
#include "test/cuda/emulator.h"

namespace zrank::cuda::emulation {

bool HasKernel(const std::string& name);

// Runs the kernels of kernels.cu on the emulator, at once.
class EmulatedLauncher : public Launcher {
 public:
  // Where `memory` is null, global memory is not checked.
  explicit EmulatedLauncher(Memory* memory = nullptr, uint64_t seed = 1) : memory_(memory), seed_(seed) {}
  void Start(const Launch& launch, const void* arguments, void* stream) override;

 private:
  Memory* const memory_;
  const uint64_t seed_;
};

}  // namespace zrank::cuda::emulation
