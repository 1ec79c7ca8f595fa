// Compiled for x86-64-v3.

#include "kernels/tiled/fp32.h"

#include "kernels/avx2/kernels.h"
#include "kernels/avx2/registers.h"
#include "kernels/tiled/attention.h"

namespace zrank::avx2 {

constinit const GemmKernel kGemmFp32 = kGemm<Fp32<Registers>>;
constinit const AttentionKernel kAttentionFp32 = kAttention<Fp32<Registers>>;

}  // namespace zrank::avx2
