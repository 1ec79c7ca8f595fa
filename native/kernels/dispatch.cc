#include "kernels/dispatch.h"

#include <cstdlib>
#include <string>

#include "core/error.h"
#include "kernels/amx/target.h"
#include "kernels/avx2/target.h"
#include "kernels/avx512/target.h"

namespace zrank {

namespace {

const Target kNone{.name = "none"};

}  // namespace

const GemmKernel* Target::FindGemm(Arithmetic arithmetic) const {
  const Kernels& found = (*this)[arithmetic];
  return found.is_supported ? found.gemm : nullptr;
}

const AttentionKernel* Target::FindAttention(Arithmetic arithmetic) const {
  if (arithmetic == Arithmetic::kInt8) {
    const AttentionKernel* bf16 = FindAttention(Arithmetic::kBf16);
    return bf16 != nullptr ? bf16 : FindAttention(Arithmetic::kFp32);
  }
  const Kernels& found = (*this)[arithmetic];
  return found.is_supported ? found.attention : nullptr;
}

const std::vector<Target>& Targets() {
  static const std::vector<Target> targets{amx::FindTarget(), avx512::FindTarget(), avx2::FindTarget()};
  return targets;
}

const Target* ChooseTarget(const std::vector<Target>& targets, const char* cap) {
  const std::string most = cap == nullptr ? "" : cap;
  if (most == kNone.name) return nullptr;
  bool is_allowed = most.empty();
  std::string names;
  const Target* best = nullptr;
  for (const Target& target : targets) {
    names += std::string(target.name) + ", ";
    is_allowed = is_allowed || most == target.name;
    if (best == nullptr && is_allowed && target[Arithmetic::kFp32].is_supported) best = &target;
  }
  if (!is_allowed) {
    throw Error(ErrorCode::kInvalidArgument,
                "ZRANK_CPU_TARGET is \"" + most + "\"; the targets are " + names + kNone.name);
  }
  return best;
}

const Target& CpuTarget() {
  static const Target* const chosen = ChooseTarget(Targets(), std::getenv("ZRANK_CPU_TARGET"));
  return chosen == nullptr ? kNone : *chosen;
}

}  // namespace zrank
