#include "kernels/avx512/target.h"

#include "kernels/avx512/kernels.h"

namespace zrank::avx512 {

Target FindTarget() {
  Target target{.name = "avx512"};
#ifdef ZRANK_X86_64
  __builtin_cpu_init();
  const bool base = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  const bool bf16 = base && __builtin_cpu_supports("avx512bf16"), vnni = base && __builtin_cpu_supports("avx512vnni");
  target[Arithmetic::kFp32] = {"AVX-512 (F, BW, VL, DQ)", base, &kGemmFp32, &kAttentionFp32};
  target[Arithmetic::kBf16] = {"AVX512_BF16", bf16, &kGemmBf16, &kAttentionBf16};
  target[Arithmetic::kInt8] = {"AVX512_VNNI", vnni, &kGemmInt8, nullptr};
#endif
  return target;
}

}  // namespace zrank::avx512
