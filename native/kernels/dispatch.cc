#include "kernels/dispatch.h"

#include "kernels/avx512/target.h"

namespace zrank {

namespace {

// The best first.
constexpr Target (*kTargets[])() = {avx512::FindTarget};

}  // namespace

const Target& CpuTarget() {
  static const Target found = [] {
    for (const auto find : kTargets) {
      if (const Target target = find(); target.name != nullptr) return target;
    }
    return Target{};
  }();
  return found;
}

const GemmKernel* FindGemmKernel(Arithmetic arithmetic) { return CpuTarget()[arithmetic].gemm; }

const AttentionKernel* FindAttentionKernel(Arithmetic arithmetic) {
  const Target& target = CpuTarget();
  if (arithmetic == Arithmetic::kInt8 && target[arithmetic].attention == nullptr) {
    arithmetic = target[Arithmetic::kBf16].attention != nullptr ? Arithmetic::kBf16 : Arithmetic::kFp32;
  }
  return target[arithmetic].attention;
}

}  // namespace zrank
