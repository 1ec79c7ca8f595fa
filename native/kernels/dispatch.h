#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "kernels/attention.h"
#include "kernels/gemm.h"

namespace zrank {

// The kernels for one family of instructions.
struct Target {
  struct Kernels {
    const char* instructions = nullptr;  // what they are called; null where there is no kernel or another target has it
    bool is_supported = false;           // by this processor
    const GemmKernel* gemm = nullptr;
    const AttentionKernel* attention = nullptr;  // none for int8
  };

  const char* name;
  std::array<Kernels, kWords<Arithmetic>.size()> kernels{};

  Kernels& operator[](Arithmetic arithmetic) { return kernels[static_cast<size_t>(arithmetic)]; }
  const Kernels& operator[](Arithmetic arithmetic) const { return kernels[static_cast<size_t>(arithmetic)]; }

  // The kernels for this processor, null where it lacks the instructions. Attention has no weights to keep in int8:
  // for that it is computed in bf16, or else in fp32.
  const GemmKernel* FindGemm(Arithmetic arithmetic) const;
  const AttentionKernel* FindAttention(Arithmetic arithmetic) const;
};

// All that there are, the best first, with what this processor supports of each. The processor is asked once.
const std::vector<Target>& Targets();

// The best of `targets`, sorted so, that has fp32 here, none above `cap`; null where there is none. `cap` is the name
// of a target or "none"; null or empty is no cap. Throws INVALID_ARGUMENT for any other.
const Target* ChooseTarget(const std::vector<Target>& targets, const char* cap);

// The target in use, capped by the environment's ZRANK_CPU_TARGET as it was at the first call. One without kernels,
// named "none", where ONNX Runtime computes.
const Target& CpuTarget();

}  // namespace zrank
