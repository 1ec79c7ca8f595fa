// Compiled for AVX-512.

#include "kernels/tiled/fp32.h"

#include "kernels/avx512/kernels.h"
#include "kernels/avx512/registers.h"
#include "kernels/tiled/attention.h"

namespace zrank::avx512 {

constinit const GemmKernel kGemmFp32 = kGemm<Fp32<Registers>>;
constinit const AttentionKernel kAttentionFp32 = kAttention<Fp32<Registers>>;

}  // namespace zrank::avx512
