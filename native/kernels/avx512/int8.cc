// Compiled for AVX-512 with VNNI.

#include "kernels/avx512/kernels.h"
#include "kernels/avx512/registers.h"
#include "kernels/tiled/gemm.h"

namespace zrank::avx512 {
namespace {

// Each block of 128 elements of a row, of X and of W, is integers times a scale. A product of blocks is a sum of
// integers, exact, times both scales. The instruction multiplies unsigned by signed bytes: X is packed with 128 added,
// and the sum of a block of W times 128 taken off where its sums begin.
//
// A packed row of X keeps the scales of its blocks behind its steps.
struct Int8 : Registers {
  static constexpr int64_t kDepth = 4;
  static constexpr int64_t kBlockSteps = kInt8Block / kDepth;
  // Behind each block's steps lie its scales and what corrects its sums, a step's room each.
  static constexpr int64_t kPanelSteps = kSliceSteps + 2 * kSliceSteps / kBlockSteps;

  // As an intrinsic, GCC 12 keeps copies of the sums in memory.
  [[gnu::always_inline]] static void Mac(__m512i& sum, __m512i x, __m512i w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  }

  template <int kRows>
  [[gnu::always_inline]] static void SumTile(const uint32_t* x, const uint32_t* w, int64_t steps,
                                             __m512 (&sum)[kRows][kTileGroups]) {
    const auto* scales = reinterpret_cast<const float*>(x + kSliceSteps);
    // The sums wait in memory, or the compiler would move those of the inner loop there.
    alignas(64) float total[kRows][kTileColumns];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      _mm512_store_ps(total[r], _mm512_setzero_ps());
      _mm512_store_ps(total[r] + kLanes, _mm512_setzero_ps());
    }
    for (; steps > 0; steps -= kBlockSteps, x += kBlockSteps, ++scales, w += kPanelBlock) {
      const __m512i c0 = _mm512_load_si512(w + kCorrections), c1 = _mm512_load_si512(w + kCorrections + kLanes);
      __m512i part[kRows][kTileGroups];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) part[r][0] = c0, part[r][1] = c1;
      // A block's steps are all there, those beyond the depth with products of 0.
      const uint32_t* step = w;
      const uint32_t* row = x;
      const uint32_t* const end = x + zrank::Min(steps, kBlockSteps);
      do {
#pragma GCC unroll 2
        for (int k = 0; k < 2; ++k, ++row, step += kTileColumns) {
          const __m512i w0 = _mm512_load_si512(step), w1 = _mm512_load_si512(step + kLanes);
#pragma GCC unroll 16
          for (int r = 0; r < kRows; ++r) {
            const __m512i xr = _mm512_set1_epi32(static_cast<int>(row[r * kRowSteps]));
            Mac(part[r][0], xr, w0);
            Mac(part[r][1], xr, w1);
          }
        }
      } while (row < end);
      asm volatile("" : : "r"(total) : "memory");
      const __m512 s0 = _mm512_load_ps(w + kScales), s1 = _mm512_load_ps(w + kScales + kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const __m512 scale = _mm512_set1_ps(scales[r * kRowSteps]);
        float* y = total[r];
        _mm512_store_ps(y,
                        _mm512_fmadd_ps(_mm512_cvtepi32_ps(part[r][0]), _mm512_mul_ps(scale, s0), _mm512_load_ps(y)));
        y += kLanes;
        _mm512_store_ps(y,
                        _mm512_fmadd_ps(_mm512_cvtepi32_ps(part[r][1]), _mm512_mul_ps(scale, s1), _mm512_load_ps(y)));
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      sum[r][0] = _mm512_load_ps(total[r]);
      sum[r][1] = _mm512_load_ps(total[r] + kLanes);
    }
  }

  // Four bytes of a row are a step: transposing them as 32-bit elements is all.
  static void PackColumns(const Columns& columns, int64_t depth, uint32_t* out) {
    const __m512i half = _mm512_set1_epi8(static_cast<char>(0x80));
    const int64_t blocks = columns.stride / kInt8Block;
    const __m512i indices = _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                                               _mm512_set1_epi32(static_cast<int>(blocks)));
    for (int64_t block = 0; block * kInt8Block < depth; ++block, out += kPanelBlock) {
      __m512i corrections = _mm512_setzero_si512();
#pragma GCC unroll 2
      for (int64_t k = 0; k < kBlockSteps; k += kLanes) {
        __m512i rows[kLanes];
#pragma GCC unroll 16
        for (int64_t i = 0; i < kLanes; ++i) {
          const char* row = columns.data + i * columns.stride + block * kInt8Block + 4 * k;
          // With the highest bit turned over, 128 is 0.
          rows[i] = i < columns.count ? _mm512_xor_si512(_mm512_loadu_si512(row), half) : _mm512_setzero_si512();
        }
        Transpose(rows);
#pragma GCC unroll 16
        for (int64_t i = 0; i < kLanes; ++i) {
          _mm512_store_si512(out + (k + i) * kTileColumns, rows[i]);
          corrections = _mm512_dpbusd_epi32(corrections, half, rows[i]);
        }
      }
      const __m512 scales =
          _mm512_mask_i32gather_ps(_mm512_setzero_ps(), FirstLanes(columns.count), indices, columns.scales + block, 4);
      _mm512_store_ps(out + kScales, scales);
      _mm512_store_si512(out + kCorrections, _mm512_sub_epi32(_mm512_setzero_si512(), corrections));
    }
  }

  static void PackRow(const float* x, int64_t depth, uint32_t* out) {
    auto* bytes = reinterpret_cast<char*>(out);
    auto* scales = reinterpret_cast<float*>(out + kSliceSteps);
    for (int64_t k = 0; k < depth; k += kInt8Block, ++scales) {
      __m512 values[kInt8Block / kLanes];
      // As integers, magnitudes are in the same order, and NaN above all.
      __m512i most = _mm512_setzero_si512();
#pragma GCC unroll 8
      for (int64_t i = 0; i < kInt8Block / kLanes; ++i) {
        values[i] = _mm512_maskz_loadu_ps(FirstLanes(depth - k - i * kLanes), x + k + i * kLanes);
        most = _mm512_max_epu32(most, _mm512_castps_si512(_mm512_abs_ps(values[i])));
      }
      const float largest =
          _mm512_cvtss_f32(_mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(_mm512_reduce_max_epu32(most)))));
      // What is too small to divide by is zero.
      const bool zero = largest < 0x1p-100f;
      const __m512 inverse = _mm512_set1_ps(zero ? 0.0f : 127.0f / largest);
      *scales = zero ? 0.0f : largest / 127.0f;
#pragma GCC unroll 8
      for (int64_t i = 0; i < kInt8Block / kLanes; ++i) {
        const __m512i rounded = _mm512_cvtps_epi32(_mm512_mul_ps(values[i], inverse));
        const __m128i shifted = _mm512_cvtepi32_epi8(_mm512_add_epi32(rounded, _mm512_set1_epi32(128)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + k + i * kLanes), shifted);
      }
    }
  }

 private:
  // Where in a block of a panel its scales and corrections lie, and the next block.
  static constexpr int64_t kScales = kBlockSteps * kTileColumns;
  static constexpr int64_t kCorrections = kScales + kTileColumns;
  static constexpr int64_t kPanelBlock = kCorrections + kTileColumns;
};

}  // namespace

constinit const GemmKernel kGemmInt8 = kGemm<Int8>;

}  // namespace zrank::avx512
