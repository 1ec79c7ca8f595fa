#pragma once

// The arithmetic of fp32 (gemm.h) for any registers.

#include "kernels/tiled/gemm.h"

namespace zrank {
namespace {

template <typename Registers>
struct Fp32 : Registers {
  using R = Registers;
  using typename Registers::Floats, typename Registers::Words;
  static constexpr int64_t kDepth = 1;
  static constexpr int64_t kPanelSteps = R::kSliceSteps;

  static Floats Mac(Floats sum, Words x, Words w) { return R::MultiplyAdd(R::AsFloats(x), R::AsFloats(w), sum); }

  template <int kRows>
  [[gnu::always_inline]] static void SumTile(const uint32_t* x, const uint32_t* w, int64_t steps,
                                             Floats (&sum)[kRows][R::kTileGroups]) {
    SumSteps<Fp32>(x, w, steps, sum);
  }

  // Widening is exact: a bf16 is the upper half of an fp32.
  static void PackColumns(const Columns& columns, int64_t depth, uint32_t* out) {
    if (columns.stored == Stored::kBf16) return PackBf16(columns, depth, out);
    for (int64_t k = 0; k < depth; k += R::kLanes) {
      Words rows[R::kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < R::kLanes; ++i) {
        const int64_t at = i * columns.stride + k;
        if (i >= columns.count) {
          rows[i] = Words{};
        } else if (columns.stored == Stored::kFp32) {
          rows[i] = R::AsWords(R::Load(reinterpret_cast<const float*>(columns.data) + at, depth - k));
        } else {
          rows[i] = R::AsWords(R::LoadFp16(columns.data + 2 * at, depth - k));
        }
      }
      R::Transpose(rows);
#pragma GCC unroll 16
      for (int64_t i = 0; i < R::kLanes; ++i) R::StoreWords(out + (k + i) * R::kTileColumns, rows[i]);
    }
  }

  // Transposed in pairs, for half the work, and then widened.
  static void PackBf16(const Columns& columns, int64_t depth, uint32_t* out) {
    for (int64_t k = 0; k < depth; k += 2 * R::kLanes) {
      Words rows[R::kLanes];
#pragma GCC unroll 16
      for (int64_t i = 0; i < R::kLanes; ++i) {
        const char* row = columns.data + 2 * (i * columns.stride + k);
        rows[i] = i < columns.count ? R::LoadHalves(row, depth - k) : Words{};
      }
      R::Transpose(rows);
#pragma GCC unroll 16
      for (int64_t i = 0; i < R::kLanes; ++i) {
        uint32_t* at = out + (k + 2 * i) * R::kTileColumns;
        R::StoreWords(at, R::LowerHalves(rows[i]));
        R::StoreWords(at + R::kTileColumns, R::UpperHalves(rows[i]));
      }
    }
  }

  // One step of a register's columns.
  static void PackStep(const float* row, const float*, uint32_t* out) { R::StoreWords(out, R::AsWords(R::Load(row))); }

  static void PackRow(const float* x, int64_t depth, uint32_t* out) {
    for (int64_t k = 0; k < depth; k += R::kLanes) R::StoreWords(out + k, R::AsWords(R::Load(x + k, depth - k)));
  }
};

}  // namespace
}  // namespace zrank
