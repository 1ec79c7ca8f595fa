#include "kernels/dispatch.h"

#include "kernels/avx512/target.h"

namespace zrank {

namespace {

// The best first.
constexpr Target (*kTargets[])() = {avx512::FindTarget};

}  // namespace

const Target& CpuTarget() {
  static const Target found = [] {
    Target best;
    for (const auto find : kTargets) {
      const Target target = find();
      if (target.name == nullptr) continue;
      best = target;
      if (target[Arithmetic::kFp32].is_supported) break;
    }
    return best;
  }();
  return found;
}

const GemmKernel* FindGemmKernel(Arithmetic arithmetic) {
  const Target::Kernels& kernels = CpuTarget()[arithmetic];
  return kernels.is_supported ? kernels.gemm : nullptr;
}

const AttentionKernel* FindAttentionKernel(Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kInt8) {
    const AttentionKernel* bf16 = FindAttentionKernel(Arithmetic::kBf16);
    return bf16 != nullptr ? bf16 : FindAttentionKernel(Arithmetic::kFp32);
  }
  const Target::Kernels& kernels = CpuTarget()[arithmetic];
  return kernels.is_supported ? kernels.attention : nullptr;
}

}  // namespace zrank
