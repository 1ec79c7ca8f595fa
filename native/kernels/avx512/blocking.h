#pragma once

#include <cstdint>

// How a multiplication is cut up, after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
// (2008), and van Zee and van de Geijn, "BLIS" (2015). A step is 32 bits of depth: one fp32, a pair of bf16 or four
// int8.
//
//   block     256 columns of W times up to 1,024 rows of X: one thread's unit of work
//   slice     512 steps of depth: a block's columns of W, packed, stay in L2 (512 KB) while all its rows pass
//   tile      12 rows x 32 columns: 24 accumulators in registers, 2 for W, the rest for X; the 12 rows' slice stays in
//   L1
//
// X is packed once for all blocks: tile by tile, slice by slice, a row's slice in kRowSteps steps.

namespace zrank::avx512 {

constexpr int64_t kLanes = 16;  // 32-bit lanes of a register
constexpr int64_t kTileRows = 12;
constexpr int64_t kTileGroups = 2;  // registers across a tile
constexpr int64_t kTileColumns = kTileGroups * kLanes;
constexpr int64_t kBlockColumns = 8 * kTileColumns;
constexpr int64_t kBlockTiles = 86;  // down: 1,032 rows
constexpr int64_t kSliceSteps = 512;
constexpr int64_t kRowSteps = kSliceSteps + 16;  // rows a power of two apart would share sets of the L1 cache

}  // namespace zrank::avx512
