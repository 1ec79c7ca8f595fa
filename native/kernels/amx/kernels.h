#pragma once

#include "kernels/attention.h"
#include "kernels/gemm.h"

// The kernels of this folder. Constants: nothing of their files runs before a processor has been asked for its
// instructions.

namespace zrank::amx {

extern const GemmKernel kGemmBf16;
extern const AttentionKernel kAttentionBf16;

}  // namespace zrank::amx
