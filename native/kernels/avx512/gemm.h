#pragma once

// The blocked multiplication, over an Arithmetic type that says what a step is:
//   kDepth                             how many elements of depth a step holds
//   kPanelSteps                        room of a tile's columns of a slice of W, in steps
//   Sum<rows>(x, w, steps, sum)        a tile's products, summed over the steps
//   PackColumns(columns, depth, out)   16 columns of W, transposed so that a register holds one step of all 16
//   PackRow(x, depth, out)             one row of X
// For translation units compiled for AVX-512 alone; see registers.h.

#include "kernels/avx512/blocking.h"
#include "kernels/avx512/registers.h"
#include "kernels/gemm.h"

namespace zrank::avx512 {
namespace {

inline int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

enum class Finish {
  kStore,
  kAdd,   // to what the slices before left
  kGate,  // silu(first group) * second group, after adding what the slices before left in `partial`
};

// Where a tile's sums go. Gated, its first 16 columns are the gate's and its last 16 the other's, both for the same 16
// columns of Y.
struct Destination {
  float* y;
  int64_t stride;
  __mmask16 columns[kTileGroups];
  const float* partial;  // kGate: [rows, kBlockColumns], or null after the only slice
};

inline __m512 Silu(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f);
  return _mm512_div_ps(x, _mm512_add_ps(one, Exp(_mm512_sub_ps(_mm512_setzero_ps(), x))));
}

// Sums of products that are formed step by step: Math::Mac(sum, x, w) is sum + the step's products.
template <typename Math, int kRows>
[[gnu::always_inline]] inline void SumSteps(const uint32_t* x, const uint32_t* w, int64_t steps,
                                            __m512 (&sum)[kRows][kTileGroups]) {
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
#pragma GCC unroll 2
  for (int64_t k = 0; k < steps; ++k, w += kTileColumns) {
    const __m512i w0 = _mm512_load_si512(w), w1 = _mm512_load_si512(w + kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const __m512i xr = _mm512_set1_epi32(static_cast<int>(x[r * kRowSteps + k]));
      sum[r][0] = Math::Mac(sum[r][0], xr, w0);
      sum[r][1] = Math::Mac(sum[r][1], xr, w1);
    }
  }
}

// Tile of kRows rows. x: [kRows, kRowSteps], w: [steps, kTileColumns], both in steps.
template <typename Math, int kRows>
void Tile(const uint32_t* x, const uint32_t* w, int64_t steps, Finish finish, const Destination& to) {
  __m512 sum[kRows][kTileGroups];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
    for (int g = 0; g < kTileGroups; ++g) {
      _mm_prefetch(reinterpret_cast<const char*>(to.y + r * to.stride + g * kLanes), _MM_HINT_T0);
    }
  }
  Math::template Sum<kRows>(x, w, steps, sum);
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    float* y = to.y + r * to.stride;
    if (finish == Finish::kGate) {
      __m512 gate = sum[r][0], up = sum[r][1];
      if (to.partial != nullptr) {
        gate = _mm512_add_ps(gate, _mm512_load_ps(to.partial + r * kBlockColumns));
        up = _mm512_add_ps(up, _mm512_load_ps(to.partial + r * kBlockColumns + kLanes));
      }
      _mm512_mask_storeu_ps(y, to.columns[0], _mm512_mul_ps(Silu(gate), up));
      continue;
    }
#pragma GCC unroll 2
    for (int g = 0; g < kTileGroups; ++g) {
      float* out = y + g * kLanes;
      __m512 value = sum[r][g];
      if (finish == Finish::kAdd) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(to.columns[g], out));
      _mm512_mask_storeu_ps(out, to.columns[g], value);
    }
  }
}

template <typename Math>
using TileFunction = void (*)(const uint32_t*, const uint32_t*, int64_t, Finish, const Destination&);

// Indexed by the number of rows.
template <typename Math>
constexpr TileFunction<Math> kTiles[kTileRows + 1] = {
    nullptr,       Tile<Math, 1>, Tile<Math, 2>, Tile<Math, 3>,  Tile<Math, 4>,  Tile<Math, 5>,  Tile<Math, 6>,
    Tile<Math, 7>, Tile<Math, 8>, Tile<Math, 9>, Tile<Math, 10>, Tile<Math, 11>, Tile<Math, 12>,
};

// Up to 16 successive columns of W (rows as they are stored), from some depth on.
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

inline int64_t Tiles(const GemmInput& input) { return CeilDiv(input.rows, kTileRows); }

// Tiles of nearly equal height: 16 rows make 8 and 8 rather than 12 and 4.
inline int64_t TileTop(const GemmInput& input, int64_t tile) { return input.rows * tile / Tiles(input); }

template <typename Math>
int64_t Slices(const GemmInput& input) {
  return CeilDiv(input.depth, kSliceSteps * Math::kDepth);
}

template <typename Math>
uint32_t* PackedTile(const GemmInput& input, int64_t tile, int64_t slice) {
  return input.packed + (tile * Slices<Math>(input) + slice) * kTileRows * kRowSteps;
}

template <typename Math>
size_t PackedBytes(const GemmInput& input) {
  return 4 * static_cast<size_t>(Tiles(input) * Slices<Math>(input) * kTileRows * kRowSteps);
}

template <typename Math>
void Pack(const GemmInput& input, int64_t tile) {
  constexpr int64_t slice = kSliceSteps * Math::kDepth;
  const int64_t top = TileTop(input, tile), bottom = TileTop(input, tile + 1);
  for (int64_t s = 0; s < Slices<Math>(input); ++s) {
    uint32_t* out = PackedTile<Math>(input, tile, s);
    const int64_t depth = s * slice, length = Min(slice, input.depth - depth);
    for (int64_t r = top; r < bottom; ++r, out += kRowSteps)
      Math::PackRow(input.x + r * input.depth + depth, length, out);
  }
}

// Columns of Y that a block computes. Of a gated multiplication it has columns of two weights.
inline int64_t BlockWidth(const Gemm& gemm) { return gemm.up.data == nullptr ? kBlockColumns : kBlockColumns / 2; }

inline int64_t Blocks(const GemmInput& input, const Gemm& gemm) {
  return CeilDiv(Tiles(input), kBlockTiles) * CeilDiv(gemm.columns, BlockWidth(gemm));
}

template <typename Math>
void Block(const GemmInput& input, const Gemm& gemm, int64_t index, void* workspace) {
  auto* packed_w = static_cast<uint32_t*>(workspace);
  auto* partial = reinterpret_cast<float*>(packed_w + Math::kPanelSteps * kBlockColumns);

  const bool gated = gemm.up.data != nullptr;
  const int64_t width = BlockWidth(gemm), blocks_across = CeilDiv(gemm.columns, width);
  const int64_t column = index % blocks_across * width, column_end = Min(column + width, gemm.columns);
  const int64_t tile = index / blocks_across * kBlockTiles, tile_end = Min(tile + kBlockTiles, Tiles(input));
  const int64_t tile_width = gated ? kLanes : kTileColumns;
  const int64_t tiles_across = CeilDiv(column_end - column, tile_width);

  constexpr int64_t slice = kSliceSteps * Math::kDepth;
  const int64_t slices = Slices<Math>(input);
  for (int64_t s = 0; s < slices; ++s) {
    const int64_t depth = s * slice, length = Min(slice, input.depth - depth);
    const int64_t steps = CeilDiv(length, Math::kDepth);
    const bool first = s == 0, last = s + 1 == slices;
    for (int64_t t = 0; t < tiles_across; ++t) {
      for (int64_t g = 0; g < kTileGroups; ++g) {
        const int64_t from = Min(column + t * tile_width + (gated ? 0 : g * kLanes), gemm.columns);
        const Weight& weight = gated && g == 1 ? gemm.up : gemm.weight;
        Math::PackColumns(ColumnsAt(weight, gemm.stored, input.depth, from, Min(kLanes, gemm.columns - from), depth),
                          length, packed_w + t * kTileColumns * Math::kPanelSteps + g * kLanes);
      }
    }
    for (int64_t d = tile; d < tile_end; ++d) {
      const int64_t top = TileTop(input, d), rows = TileTop(input, d + 1) - top;
      const uint32_t* x = PackedTile<Math>(input, d, s);
      for (int64_t t = 0; t < tiles_across; ++t) {
        // The next tile of X is on its way meanwhile.
        const uint32_t* next = d + 1 < tile_end ? PackedTile<Math>(input, d + 1, s) : x;
        for (int64_t r = t; r < kTileRows; r += tiles_across) {
          for (int64_t i = 0; i < steps; i += kLanes)
            _mm_prefetch(reinterpret_cast<const char*>(next + r * kRowSteps + i), _MM_HINT_T1);
        }
        const int64_t from = column + t * tile_width;
        float* sums = partial + (d - tile) * kTileRows * kBlockColumns + t * kTileColumns;
        Destination to{gemm.y + top * gemm.columns + from, gemm.columns, {}, first ? nullptr : sums};
        Finish finish = first ? Finish::kStore : Finish::kAdd;
        to.columns[0] = FirstLanes(column_end - from);
        to.columns[1] = FirstLanes(column_end - from - kLanes);
        if (gated && last) finish = Finish::kGate;
        if (gated && !last) to = {sums, kBlockColumns, {0xffff, 0xffff}, nullptr};
        kTiles<Math>[rows](x, packed_w + t * kTileColumns * Math::kPanelSteps, steps, finish, to);
      }
    }
  }
}

template <typename Math>
constexpr GemmKernel kGemm{
    .workspace_bytes = 4 * kBlockColumns * (Math::kPanelSteps + kBlockTiles * kTileRows),
    .packed_bytes = PackedBytes<Math>,
    .tiles = Tiles,
    .blocks = Blocks,
    .pack = Pack<Math>,
    .block = Block<Math>,
};

}  // namespace
}  // namespace zrank::avx512
