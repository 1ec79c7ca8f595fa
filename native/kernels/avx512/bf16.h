#pragma once

// The arithmetic of bf16 (tiled/gemm.h) without its products: how factors are packed. Only for translation units
// compiled for AVX-512 with BF16.

#include "kernels/avx512/registers.h"
#include "kernels/tiled/gemm.h"

namespace zrank::avx512 {
namespace {

template <typename Registers>
struct Bf16Packing : Registers {
  using R = Registers;
  static constexpr int64_t kDepth = 2;
  static constexpr int64_t kPanelSteps = R::kSliceSteps;

  // 32 elements of a row, in bf16. A weight stored otherwise is rounded.
  static __m512i LoadRow(Stored stored, const char* weight, int64_t at, int64_t depth) {
    const __mmask16 low = R::FirstLanes(depth), high = R::FirstLanes(depth - R::kLanes);
    if (stored == Stored::kBf16) return _mm512_maskz_loadu_epi16(R::FirstHalves(depth), weight + 2 * at);
    if (stored == Stored::kFp32) {
      const char* row = weight + 4 * at;
      return ToBf16(_mm512_maskz_loadu_ps(low, row), _mm512_maskz_loadu_ps(high, row + 4 * R::kLanes));
    }
    const char* row = weight + 2 * at;
    return ToBf16(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(low, row)),
                  _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(high, row + 2 * R::kLanes)));
  }

  static __m512i ToBf16(__m512 low, __m512 high) { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }

  // bf16 pairs lie in memory as a step wants them: transposing them as 32-bit elements is all.
  static void PackColumns(const Columns& columns, int64_t depth, uint32_t* out) {
    for (int64_t k = 0; k < depth; k += 2 * R::kLanes) {
      __m512i rows[R::kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < R::kLanes; ++i) {
        rows[i] = i < columns.count ? LoadRow(columns.stored, columns.data, i * columns.stride + k, depth - k)
                                    : _mm512_setzero_si512();
      }
      R::Transpose(rows);
#pragma GCC unroll 16
      for (int64_t i = 0; i < R::kLanes; ++i) _mm512_store_si512(out + (k / 2 + i) * R::kTileColumns, rows[i]);
    }
  }

  // One step of 16 columns, from two rows of the depth; either may be none.
  static void PackStep(const float* first, const float* second, uint32_t* out) {
    const auto half = [](const float* row) {
      if (row == nullptr) return _mm512_setzero_si512();
      return _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(row))));
    };
    _mm512_store_si512(out, _mm512_or_si512(half(first), _mm512_slli_epi32(half(second), 16)));
  }

  static void PackRow(const float* x, int64_t depth, uint32_t* out) {
    for (int64_t k = 0; k < depth; k += 2 * R::kLanes) {
      const __m512 low = _mm512_maskz_loadu_ps(R::FirstLanes(depth - k), x + k);
      const __m512 high = _mm512_maskz_loadu_ps(R::FirstLanes(depth - k - R::kLanes), x + k + R::kLanes);
      _mm512_store_si512(out + k / 2, ToBf16(low, high));
    }
  }
};

}  // namespace
}  // namespace zrank::avx512
