// Compiled for AVX-512 with BF16; the instructions of AMX are in tiles.h.

#include "kernels/amx/bf16.h"

#include "kernels/amx/kernels.h"
#include "kernels/amx/tiles.h"
#include "kernels/tiled/attention.h"

namespace zrank::amx {

constinit const GemmKernel kGemmBf16 = kGemm<Bf16<HardwareTiles>>;
constinit const AttentionKernel kAttentionBf16 = kAttention<Bf16<HardwareTiles>>;

}  // namespace zrank::amx
