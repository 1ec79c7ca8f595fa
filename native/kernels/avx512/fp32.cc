// Compiled for AVX-512.

#include "kernels/avx512/attention.h"
#include "kernels/avx512/kernels.h"

namespace zrank::avx512 {
namespace {

struct Fp32 {
  static constexpr int64_t kDepth = 1;
  static constexpr int64_t kPanelSteps = kSliceSteps;

  static __m512 Mac(__m512 sum, __m512i x, __m512i w) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(w), sum);
  }

  template <int kRows>
  [[gnu::always_inline]] static void Sum(const uint32_t* x, const uint32_t* w, int64_t steps,
                                         __m512 (&sum)[kRows][kTileGroups]) {
    SumSteps<Fp32>(x, w, steps, sum);
  }

  // Widening is exact: a bf16 is the upper half of an fp32.
  static void PackColumns(const Columns& columns, int64_t depth, uint32_t* out) {
    if (columns.stored == Stored::kBf16) return PackBf16(columns, depth, out);
    for (int64_t k = 0; k < depth; k += kLanes) {
      const __mmask16 lanes = FirstLanes(depth - k);
      __m512i rows[kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) {
        const int64_t at = i * columns.stride + k;
        if (i >= columns.count) {
          rows[i] = _mm512_setzero_si512();
        } else if (columns.stored == Stored::kFp32) {
          rows[i] = _mm512_maskz_loadu_epi32(lanes, columns.data + 4 * at);
        } else {
          rows[i] = _mm512_castps_si512(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes, columns.data + 2 * at)));
        }
      }
      Transpose(rows);
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) _mm512_store_si512(out + (k + i) * kTileColumns, rows[i]);
    }
  }

  // Transposed in pairs, for half the work, and then widened.
  static void PackBf16(const Columns& columns, int64_t depth, uint32_t* out) {
    for (int64_t k = 0; k < depth; k += 2 * kLanes) {
      const __mmask32 halves = FirstHalves(depth - k);
      __m512i rows[kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) {
        const char* row = columns.data + 2 * (i * columns.stride + k);
        rows[i] = i < columns.count ? _mm512_maskz_loadu_epi16(halves, row) : _mm512_setzero_si512();
      }
      Transpose(rows);
      const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
#pragma GCC unroll 16
      for (int64_t i = 0; i < kLanes; ++i) {
        uint32_t* at = out + (k + 2 * i) * kTileColumns;
        _mm512_store_si512(at, _mm512_slli_epi32(rows[i], 16));
        _mm512_store_si512(at + kTileColumns, _mm512_and_si512(rows[i], upper));
      }
    }
  }

  // One step of 16 columns.
  static void PackStep(const float* row, const float*, uint32_t* out) { _mm512_store_ps(out, _mm512_loadu_ps(row)); }

  static void PackRow(const float* x, int64_t depth, uint32_t* out) {
    for (int64_t k = 0; k < depth; k += kLanes) {
      _mm512_store_ps(out + k, _mm512_maskz_loadu_ps(FirstLanes(depth - k), x + k));
    }
  }
};

}  // namespace

constinit const GemmKernel kGemmFp32 = kGemm<Fp32>;
constinit const AttentionKernel kAttentionFp32 = kAttention<Fp32>;

}  // namespace zrank::avx512
