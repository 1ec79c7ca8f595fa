#pragma once

// The arithmetic of bf16 (tiled/gemm.h) on tile registers: HardwareTiles, or a model of them.

#include "kernels/avx512/bf16.h"

namespace zrank::amx {
namespace {

// Tiles of 32 x 32: four of the eight tile registers are sums, two are of X and two of W. Their rows' slice does not
// fit L1; shorter ones, which would, have sums pass through Y more often (docs/performance.md).
struct Registers : Blocking<16, 32, 512>, avx512::Operations {
  static constexpr int64_t kSummedRows = 16, kSummedSteps = 16;
};

template <typename Tiles>
struct Bf16 : avx512::Bf16Packing<Registers> {
  using Session = typename Tiles::Session;

  // What is packed for AVX-512 is what the tile registers want: 16 steps of a row of X are a row of one, and a step of
  // 16 columns of W is a row of another.
  template <int kRows>
  [[gnu::always_inline]] static void SumTile(const uint32_t* x, const uint32_t* w, int64_t steps,
                                             Floats (&sum)[RoundUp(kRows, kSummedRows)][kTileGroups]) {
    constexpr bool has_lower = kRows > kSummedRows;
    Tiles::template Zero<0>();
    Tiles::template Zero<1>();
    Tiles::template Zero<2>();
    Tiles::template Zero<3>();
    for (int64_t k = 0; k < steps; k += kSummedSteps, w += kSummedSteps * kTileColumns) {
      Tiles::template Load<4>(x + k, 4 * kRowSteps);
      Tiles::template Load<6>(w, 4 * kTileColumns);
      Tiles::template Load<7>(w + kLanes, 4 * kTileColumns);
      Tiles::template AddProducts<0, 4, 6>();
      Tiles::template AddProducts<1, 4, 7>();
      if constexpr (has_lower) {
        Tiles::template Load<5>(x + kSummedRows * kRowSteps + k, 4 * kRowSteps);
        Tiles::template AddProducts<2, 5, 6>();
        Tiles::template AddProducts<3, 5, 7>();
      }
    }
    Tiles::template Store<0>(&sum[0][0], sizeof(sum[0]));
    Tiles::template Store<1>(&sum[0][1], sizeof(sum[0]));
    if constexpr (has_lower) {
      Tiles::template Store<2>(&sum[kSummedRows][0], sizeof(sum[0]));
      Tiles::template Store<3>(&sum[kSummedRows][1], sizeof(sum[0]));
    }
  }
};

}  // namespace
}  // namespace zrank::amx
