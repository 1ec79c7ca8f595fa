// Compiled for AVX-512 with BF16.

#include "kernels/avx512/bf16.h"

#include "kernels/avx512/kernels.h"
#include "kernels/tiled/attention.h"

namespace zrank::avx512 {
namespace {

struct Bf16 : Bf16Packing<Registers> {
  static __m512 Mac(__m512 sum, __m512i x, __m512i w) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
  }

  template <int kRows>
  [[gnu::always_inline]] static void SumTile(const uint32_t* x, const uint32_t* w, int64_t steps,
                                             __m512 (&sum)[kRows][kTileGroups]) {
    SumSteps<Bf16>(x, w, steps, sum);
  }
};

}  // namespace

constinit const GemmKernel kGemmBf16 = kGemm<Bf16>;
constinit const AttentionKernel kAttentionBf16 = kAttention<Bf16>;

}  // namespace zrank::avx512
