#pragma once

#include "kernels/attention.h"
#include "kernels/gemm.h"

// The kernels of this folder. Constants: nothing of their files runs before a processor has been asked for its
// instructions.

namespace zrank::avx2 {

extern const GemmKernel kGemmFp32, kGemmInt8;
extern const AttentionKernel kAttentionFp32;

}  // namespace zrank::avx2
