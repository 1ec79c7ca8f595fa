#pragma once

#include "kernels/attention.h"
#include "kernels/gemm.h"

namespace zrank::test {

// The kernels for AMX-BF16 on a model of its tile registers, for processors with AVX512_BF16 alone; x86-64 only.
extern const GemmKernel kAmxModelGemm;
extern const AttentionKernel kAmxModelAttention;

}  // namespace zrank::test
