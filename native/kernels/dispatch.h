#pragma once

#include <array>
#include <cstddef>

#include "kernels/attention.h"
#include "kernels/gemm.h"

namespace zrank {

// The kernels for one family of instructions, as far as this processor has them.
struct Target {
  struct Kernels {
    const char* instructions = nullptr;  // what they are called
    const GemmKernel* gemm = nullptr;
    const AttentionKernel* attention = nullptr;
  };

  const char* name = nullptr;
  std::array<Kernels, kArithmetics> kernels{};

  Kernels& operator[](Arithmetic arithmetic) { return kernels[static_cast<size_t>(arithmetic)]; }
  const Kernels& operator[](Arithmetic arithmetic) const { return kernels[static_cast<size_t>(arithmetic)]; }
};

// The best one that this processor runs; without a name where zrank has none. The processor is asked once.
const Target& CpuTarget();

// The kernels for this processor, null where it lacks the instructions. Attention has no weights to keep in int8: for
// that it is computed in bf16, or else in fp32.
const GemmKernel* FindGemmKernel(Arithmetic arithmetic);
const AttentionKernel* FindAttentionKernel(Arithmetic arithmetic);

}  // namespace zrank
