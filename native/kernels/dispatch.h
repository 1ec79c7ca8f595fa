#pragma once

#include <array>
#include <cstddef>

#include "kernels/attention.h"
#include "kernels/gemm.h"

namespace zrank {

// The kernels for one family of instructions.
struct Target {
  struct Kernels {
    const char* instructions = nullptr;  // what they are called; null where there is no kernel
    bool is_supported = false;           // by this processor
    const GemmKernel* gemm = nullptr;
    const AttentionKernel* attention = nullptr;  // none for int8
  };

  const char* name = nullptr;  // null where there are none for the architecture
  std::array<Kernels, kWords<Arithmetic>.size()> kernels{};

  Kernels& operator[](Arithmetic arithmetic) { return kernels[static_cast<size_t>(arithmetic)]; }
  const Kernels& operator[](Arithmetic arithmetic) const { return kernels[static_cast<size_t>(arithmetic)]; }
};

// The best one that this processor supports in fp32; where it supports none, the one that asks the least of processors
// of its architecture. The processor is asked once.
const Target& CpuTarget();

// The kernels for this processor, null where it lacks the instructions. Attention has no weights to keep in int8: for
// that it is computed in bf16, or else in fp32.
const GemmKernel* FindGemmKernel(Arithmetic arithmetic);
const AttentionKernel* FindAttentionKernel(Arithmetic arithmetic);

}  // namespace zrank
