#pragma once

// The blocked multiplication, over an arithmetic that says what a step is and, by its base, on which registers:
//   a target's Registers               Blocking, and operations on Floats and Words (avx512/registers.h)
//   kDepth                             how many elements of depth a step holds
//   kPanelSteps                        room of a tile's columns of a slice of W, in steps
//   kSummedRows, kSummedSteps          a tile's sums have room for, and its factors are zero up to, multiples of these
//   Session                            what a thread holds while it sums tiles
//   SumTile<rows>(x, w, steps, sum)    a tile's products, summed over the steps
//   PackColumns(columns, depth, out)   a register's columns of W, transposed so that it holds one step of all of them
//   PackRow(x, depth, out)             one row of X
// For translation units compiled for a target's instructions; internal linkage keeps them there.

#include <utility>

#include "kernels/gemm.h"
#include "kernels/tiled/blocking.h"
#include "kernels/tiled/exp.h"

namespace zrank {
namespace {

enum class Finish {
  kStore,
  kAdd,   // to what the slices before left
  kGate,  // silu(first group) * second group, after adding what the slices before left in `partial`
};

// Where a tile's sums go. Gated, its first register of columns is the gate's and its second the other's, both for the
// same columns of Y.
struct Destination {
  float* y;
  int64_t stride;
  int64_t columns;       // of Y that are there from here on; perhaps more than a tile has
  const float* partial;  // kGate: [rows, kBlockColumns], or null after the only slice
};

// Sums of products that are formed step by step: Math::Mac(sum, x, w) is sum + the step's products.
template <typename Math, int kRows>
[[gnu::always_inline]] inline void SumSteps(const uint32_t* x, const uint32_t* w, int64_t steps,
                                            typename Math::Floats (&sum)[kRows][Math::kTileGroups]) {
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = typename Math::Floats{};
#pragma GCC unroll 2
  for (int64_t k = 0; k < steps; ++k, w += Math::kTileColumns) {
    const auto w0 = Math::LoadWords(w), w1 = Math::LoadWords(w + Math::kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const auto xr = Math::BroadcastWord(x[r * Math::kRowSteps + k]);
      sum[r][0] = Math::Mac(sum[r][0], xr, w0);
      sum[r][1] = Math::Mac(sum[r][1], xr, w1);
    }
  }
}

// Tile of kRows rows. x: [kRows, kRowSteps], w: [steps, kTileColumns], both in steps.
template <typename Math, int kRows>
void Tile(const uint32_t* x, const uint32_t* w, int64_t steps, Finish finish, const Destination& to) {
  typename Math::Floats sum[RoundUp(kRows, Math::kSummedRows)][Math::kTileGroups];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int64_t i = 0; i < Math::kTileColumns; i += kCacheLine) __builtin_prefetch(to.y + r * to.stride + i);
  }
  Math::template SumTile<kRows>(x, w, steps, sum);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* y = to.y + r * to.stride;
    if (finish == Finish::kGate) {
      auto gate = sum[r][0], up = sum[r][1];
      if (to.partial != nullptr) {
        gate += Math::Load(to.partial + r * Math::kBlockColumns);
        up += Math::Load(to.partial + r * Math::kBlockColumns + Math::kLanes);
      }
      Math::Store(y, Silu<Math>(gate) * up, to.columns);
      continue;
    }
#pragma GCC unroll 2
    for (int g = 0; g < Math::kTileGroups; ++g) {
      float* out = y + g * Math::kLanes;
      const int64_t columns = to.columns - g * Math::kLanes;
      auto value = sum[r][g];
      if (finish == Finish::kAdd) value += Math::Load(out, columns);
      Math::Store(out, value, columns);
    }
  }
}

using TileFunction = void (*)(const uint32_t*, const uint32_t*, int64_t, Finish, const Destination&);

// The tiles of 1, 2, ... rows. (A std::array's functions would have external linkage.)
template <typename Math, int... kRowsLessOne>
struct TileTable {
  static constexpr TileFunction kOfRows[] = {nullptr, Tile<Math, kRowsLessOne + 1>...};
};
template <typename Math, int... kRowsLessOne>
TileTable<Math, kRowsLessOne...> TableOf(std::integer_sequence<int, kRowsLessOne...>);

template <typename Math>
TileFunction TileOf(int64_t rows) {
  return decltype(TableOf<Math>(std::make_integer_sequence<int, Math::kTileRows>{}))::kOfRows[rows];
}

// Up to a register's successive columns of W (rows as they are stored), from some depth on.
struct Columns {
  Stored stored;
  const char* data;
  int64_t stride;       // elements from one to the next
  const float* scales;  // int8: of the first block of the first; the next column's lie stride / kInt8Block further
  int64_t count;
};

inline Columns ColumnsAt(const Weight& weight, Stored stored, int64_t row_depth, int64_t column, int64_t count,
                         int64_t depth) {
  if (stored == Stored::kInt8) {
    const int64_t blocks = CeilDiv(row_depth, kInt8Block), stride = blocks * kInt8Block;
    return {stored, static_cast<const char*>(weight.data) + column * stride + depth, stride,
            weight.scales + column * blocks + depth / kInt8Block, count};
  }
  const int64_t size = stored == Stored::kFp32 ? 4 : 2;
  return {stored, static_cast<const char*>(weight.data) + (column * row_depth + depth) * size, row_depth, nullptr,
          count};
}

template <typename Math>
int64_t Tiles(const GemmInput& input) {
  return CeilDiv(input.rows, Math::kTileRows);
}

// Tiles of nearly equal height: 16 rows make 8 and 8 rather than 12 and 4.
template <typename Math>
int64_t TileTop(const GemmInput& input, int64_t tile) {
  return input.rows * tile / Tiles<Math>(input);
}

template <typename Math>
int64_t Slices(const GemmInput& input) {
  return CeilDiv(input.depth, Math::kSliceSteps * Math::kDepth);
}

template <typename Math>
uint32_t* PackedTile(const GemmInput& input, int64_t tile, int64_t slice) {
  return input.packed + (tile * Slices<Math>(input) + slice) * Math::kTileRows * Math::kRowSteps;
}

template <typename Math>
size_t PackedBytes(const GemmInput& input) {
  return 4 * static_cast<size_t>(Tiles<Math>(input) * Slices<Math>(input) * Math::kTileRows * Math::kRowSteps);
}

template <typename Math>
void Pack(const GemmInput& input, int64_t tile) {
  constexpr int64_t slice = Math::kSliceSteps * Math::kDepth;
  const int64_t top = TileTop<Math>(input, tile), bottom = TileTop<Math>(input, tile + 1);
  for (int64_t s = 0; s < Slices<Math>(input); ++s) {
    uint32_t* out = PackedTile<Math>(input, tile, s);
    const int64_t depth = s * slice, length = Min(slice, input.depth - depth);
    for (int64_t r = top; r < bottom; ++r, out += Math::kRowSteps)
      Math::PackRow(input.x + r * input.depth + depth, length, out);
  }
}

// Columns of Y that a block computes. Of a gated multiplication it has columns of two weights.
template <typename Math>
int64_t BlockWidth(const Gemm& gemm) {
  return gemm.up.data == nullptr ? Math::kBlockColumns : Math::kBlockColumns / 2;
}

template <typename Math>
int64_t Blocks(const GemmInput& input, const Gemm& gemm) {
  return CeilDiv(Tiles<Math>(input), Math::kBlockTiles) * CeilDiv(gemm.columns, BlockWidth<Math>(gemm));
}

template <typename Math>
void Block(const GemmInput& input, const Gemm& gemm, int64_t index, void* workspace) {
  auto* packed_w = static_cast<uint32_t*>(workspace);
  auto* partial = reinterpret_cast<float*>(packed_w + Math::kPanelSteps * Math::kBlockColumns);

  [[maybe_unused]] const typename Math::Session session;
  const bool gated = gemm.up.data != nullptr;
  const int64_t width = BlockWidth<Math>(gemm), blocks_across = CeilDiv(gemm.columns, width);
  const int64_t column = index % blocks_across * width, column_end = Min(column + width, gemm.columns);
  const int64_t tile = index / blocks_across * Math::kBlockTiles,
                tile_end = Min(tile + Math::kBlockTiles, Tiles<Math>(input));
  const int64_t tile_width = gated ? Math::kLanes : Math::kTileColumns;
  const int64_t tiles_across = CeilDiv(column_end - column, tile_width);

  constexpr int64_t slice = Math::kSliceSteps * Math::kDepth;
  const int64_t slices = Slices<Math>(input);
  for (int64_t s = 0; s < slices; ++s) {
    const int64_t depth = s * slice, length = Min(slice, input.depth - depth);
    const int64_t steps = CeilDiv(length, Math::kDepth);
    const bool first = s == 0, last = s + 1 == slices;
    for (int64_t t = 0; t < tiles_across; ++t) {
      for (int64_t g = 0; g < Math::kTileGroups; ++g) {
        const int64_t from = Min(column + t * tile_width + (gated ? 0 : g * Math::kLanes), gemm.columns);
        const Weight& weight = gated && g == 1 ? gemm.up : gemm.weight;
        Math::PackColumns(
            ColumnsAt(weight, gemm.stored, input.depth, from, Min(Math::kLanes, gemm.columns - from), depth), length,
            packed_w + t * Math::kTileColumns * Math::kPanelSteps + g * Math::kLanes);
      }
    }
    for (int64_t d = tile; d < tile_end; ++d) {
      const int64_t top = TileTop<Math>(input, d), rows = TileTop<Math>(input, d + 1) - top;
      const uint32_t* x = PackedTile<Math>(input, d, s);
      for (int64_t t = 0; t < tiles_across; ++t) {
        // The next tile of X is on its way meanwhile.
        const uint32_t* next = d + 1 < tile_end ? PackedTile<Math>(input, d + 1, s) : x;
        for (int64_t r = t; r < Math::kTileRows; r += tiles_across) {
          for (int64_t i = 0; i < steps; i += kCacheLine) __builtin_prefetch(next + r * Math::kRowSteps + i, 0, 2);
        }
        const int64_t from = column + t * tile_width;
        float* sums = partial + (d - tile) * Math::kTileRows * Math::kBlockColumns + t * Math::kTileColumns;
        Destination to{gemm.y + top * gemm.columns + from, gemm.columns, column_end - from, first ? nullptr : sums};
        Finish finish = first ? Finish::kStore : Finish::kAdd;
        if (gated && last) finish = Finish::kGate;
        if (gated && !last) to = {sums, Math::kBlockColumns, Math::kTileColumns, nullptr};
        TileOf<Math>(rows)(x, packed_w + t * Math::kTileColumns * Math::kPanelSteps, steps, finish, to);
      }
    }
  }
}

template <typename Math>
constexpr GemmKernel kGemm{
    .workspace_bytes = 4 * Math::kBlockColumns * (Math::kPanelSteps + Math::kBlockTiles * Math::kTileRows),
    .packed_bytes = PackedBytes<Math>,
    .tiles = Tiles<Math>,
    .blocks = Blocks<Math>,
    .pack = Pack<Math>,
    .block = Block<Math>,
};

}  // namespace
}  // namespace zrank
