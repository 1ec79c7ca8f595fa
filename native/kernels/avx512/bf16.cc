// Compiled for AVX-512 with BF16.

#include "kernels/avx512/kernels.h"
#include "kernels/avx512/registers.h"
#include "kernels/tiled/attention.h"

namespace zrank::avx512 {
namespace {

struct Bf16 : Registers {
  static constexpr int64_t kDepth = 2;
  static constexpr int64_t kPanelSteps = kSliceSteps;

  static __m512 Mac(__m512 sum, __m512i x, __m512i w) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
  }

  template <int kRows>
  [[gnu::always_inline]] static void SumTile(const uint32_t* x, const uint32_t* w, int64_t steps,
                                             __m512 (&sum)[kRows][kTileGroups]) {
    SumSteps<Bf16>(x, w, steps, sum);
  }

  // 32 elements of a row, in bf16. A weight stored otherwise is rounded.
  static __m512i LoadRow(Stored stored, const char* weight, int64_t at, int64_t depth) {
    const __mmask16 low = FirstLanes(depth), high = FirstLanes(depth - kLanes);
    if (stored == Stored::kBf16) return _mm512_maskz_loadu_epi16(FirstHalves(depth), weight + 2 * at);
    if (stored == Stored::kFp32) {
      const char* row = weight + 4 * at;
      return ToBf16(_mm512_maskz_loadu_ps(low, row), _mm512_maskz_loadu_ps(high, row + 4 * kLanes));
    }
    const char* row = weight + 2 * at;
    return ToBf16(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(low, row)),
                  _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(high, row + 2 * kLanes)));
  }

  static __m512i ToBf16(__m512 low, __m512 high) { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }

  // bf16 pairs lie in memory as a step wants them: transposing them as 32-bit elements is all.
  static void PackColumns(const Columns& columns, int64_t depth, uint32_t* out) {
    for (int64_t k = 0; k < depth; k += 2 * kLanes) {
      __m512i rows[kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) {
        rows[i] = i < columns.count ? LoadRow(columns.stored, columns.data, i * columns.stride + k, depth - k)
                                    : _mm512_setzero_si512();
      }
      Transpose(rows);
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) _mm512_store_si512(out + (k / 2 + i) * kTileColumns, rows[i]);
    }
  }

  // One step of 16 columns, from two rows of the depth; the second may be none.
  static void PackStep(const float* first, const float* second, uint32_t* out) {
    const auto half = [](const float* row) {
      return _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(row))));
    };
    const __m512i low = half(first), high = second == nullptr ? _mm512_setzero_si512() : half(second);
    _mm512_store_si512(out, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }

  static void PackRow(const float* x, int64_t depth, uint32_t* out) {
    for (int64_t k = 0; k < depth; k += 2 * kLanes) {
      const __m512 low = _mm512_maskz_loadu_ps(FirstLanes(depth - k), x + k);
      const __m512 high = _mm512_maskz_loadu_ps(FirstLanes(depth - k - kLanes), x + k + kLanes);
      _mm512_store_si512(out + k / 2, ToBf16(low, high));
    }
  }
};

}  // namespace

constinit const GemmKernel kGemmBf16 = kGemm<Bf16>;
constinit const AttentionKernel kAttentionBf16 = kAttention<Bf16>;

}  // namespace zrank::avx512
