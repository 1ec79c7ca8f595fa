#include "kernels/avx512/target.h"

#include "kernels/avx512/kernels.h"
#include "kernels/processor.h"

namespace zrank::avx512 {

Target FindTarget() {
  Target target{.name = "avx512"};
#ifdef ZRANK_X86_64
  const Processor& processor = ThisProcessor();
  target[Arithmetic::kFp32] = {"AVX-512 (F, BW, VL, DQ)", processor.avx512, &kGemmFp32, &kAttentionFp32};
  target[Arithmetic::kBf16] = {"AVX512_BF16", processor.avx512_bf16, &kGemmBf16, &kAttentionBf16};
  target[Arithmetic::kInt8] = {"AVX512_VNNI", processor.avx512_vnni, &kGemmInt8, nullptr};
#endif
  return target;
}

}  // namespace zrank::avx512
