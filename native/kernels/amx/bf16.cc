// Compiled for AVX-512 with BF16 and AMX.

#include "kernels/amx/kernels.h"
#include "kernels/amx/tiles.h"
#include "kernels/avx512/bf16.h"
#include "kernels/tiled/attention.h"

namespace zrank::amx {
namespace {

struct Bf16 : avx512::Bf16Packing<Registers> {
  // What is packed for AVX-512 is what the tiles want: 16 steps of a row of X are a tile's row, and a step of 16 columns
  // of W is another's.
  template <int kRows>
  [[gnu::always_inline]] static void SumTile(const uint32_t* x, const uint32_t* w, int64_t steps,
                                             Floats (&sum)[RoundUp(kRows, kSummedRows)][kTileGroups]) {
    constexpr bool has_lower = kRows > kSummedRows;
    constexpr int x_stride = 4 * kRowSteps, w_stride = 4 * kTileColumns;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < steps; k += kSummedSteps, w += kSummedSteps * kTileColumns) {
      _tile_loadd(4, x + k, x_stride);
      _tile_loadd(6, w, w_stride);
      _tile_loadd(7, w + kLanes, w_stride);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if constexpr (has_lower) {
        _tile_loadd(5, x + kSummedRows * kRowSteps + k, x_stride);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    constexpr int sum_stride = sizeof(sum[0]);
    _tile_stored(0, &sum[0][0], sum_stride);
    _tile_stored(1, &sum[0][1], sum_stride);
    if constexpr (has_lower) {
      _tile_stored(2, &sum[kSummedRows][0], sum_stride);
      _tile_stored(3, &sum[kSummedRows][1], sum_stride);
    }
  }
};

}  // namespace

constinit const GemmKernel kGemmBf16 = kGemm<Bf16>;
constinit const AttentionKernel kAttentionBf16 = kAttention<Bf16>;

}  // namespace zrank::amx
