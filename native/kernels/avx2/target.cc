#include "kernels/avx2/target.h"

#include "kernels/avx2/kernels.h"

namespace zrank::avx2 {

Target FindTarget() {
  Target target{.name = "avx2"};
#ifdef ZRANK_X86_64
  __builtin_cpu_init();
  const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  target[Arithmetic::kFp32] = {"AVX2 (with FMA, F16C)", has, &kGemmFp32, &kAttentionFp32};
#ifdef ZRANK_AVX_VNNI
  target[Arithmetic::kInt8] = {"AVX_VNNI", has && __builtin_cpu_supports("avxvnni"), &kGemmInt8, nullptr};
#endif
#endif
  return target;
}

}  // namespace zrank::avx2
