#include "kernels/avx2/target.h"

#include "kernels/avx2/kernels.h"
#include "kernels/processor.h"

namespace zrank::avx2 {

Target FindTarget() {
  Target target{.name = "avx2"};
#ifdef ZRANK_X86_64
  const Processor& processor = ThisProcessor();
  target[Arithmetic::kFp32] = {"AVX2 (with FMA, F16C)", processor.avx2, &kGemmFp32, &kAttentionFp32};
#ifdef ZRANK_AVX_VNNI
  target[Arithmetic::kInt8] = {"AVX_VNNI", processor.avx_vnni, &kGemmInt8, nullptr};
#endif
#endif
  return target;
}

}  // namespace zrank::avx2
