#pragma once

#include <cstdint>

namespace zrank {
namespace {

// How a multiplication is cut up, after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
// (2008), and van Zee and van de Geijn, "BLIS" (2015). A step is 32 bits of depth: one fp32, a pair of bf16 or four
// int8.
//
//   block     256 columns of W times up to 1,032 rows of X: one thread's unit of work
//   slice     so many steps of depth that a block's columns of W, packed, stay in L2 while all its rows pass
//   tile      as many rows x two registers of columns as leave two registers for W and some for X; its rows' slice
//             stays in L1
//
// X is packed once for all blocks: tile by tile, slice by slice, a row's slice in kRowSteps steps.
template <int64_t lanes, int64_t tile_rows, int64_t slice_steps>
struct Blocking {
  static constexpr int64_t kLanes = lanes;  // 32-bit lanes of a register
  static constexpr int64_t kTileRows = tile_rows;
  static constexpr int64_t kTileGroups = 2;  // registers across a tile
  static constexpr int64_t kTileColumns = kTileGroups * kLanes;
  static constexpr int64_t kBlockColumns = 256;
  static constexpr int64_t kBlockTiles = 1032 / kTileRows;  // down
  static constexpr int64_t kBlockRows = kBlockTiles * kTileRows;
  static constexpr int64_t kSliceSteps = slice_steps;
  static constexpr int64_t kSummedRows = 1, kSummedSteps = 1;  // for one instruction
  struct Session {};
  static constexpr int64_t kRowSteps = kSliceSteps + 16;  // rows a power of two apart would share sets of the L1 cache
  static_assert(kBlockColumns % kTileColumns == 0 && kSliceSteps % kTileColumns == 0);
};

constexpr int64_t kCacheLine = 16;  // in steps

constexpr int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t value, int64_t multiple) { return CeilDiv(value, multiple) * multiple; }

}  // namespace
}  // namespace zrank
