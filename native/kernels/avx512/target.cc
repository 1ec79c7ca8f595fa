#include "kernels/avx512/target.h"

#include "kernels/avx512/kernels.h"

namespace zrank::avx512 {

#ifdef ZRANK_AVX512

Target FindTarget() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) {
    return {};
  }
  Target target{.name = "AVX-512"};
  target[Arithmetic::kFp32] = {"AVX-512 (F, BW, VL, DQ)", &kGemmFp32, &kAttentionFp32};
  if (__builtin_cpu_supports("avx512bf16")) target[Arithmetic::kBf16] = {"AVX512_BF16", &kGemmBf16, &kAttentionBf16};
  if (__builtin_cpu_supports("avx512vnni")) target[Arithmetic::kInt8] = {"AVX512_VNNI", &kGemmInt8, nullptr};
  return target;
}

#else

Target FindTarget() { return {}; }

#endif

}  // namespace zrank::avx512
