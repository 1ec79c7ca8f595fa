#pragma once

// The arithmetic of int8 (gemm.h), for registers with an instruction that adds the products of four unsigned and signed
// bytes to each word. What it asks of them beside:
//   AddProducts(sum, x, w)               that instruction
//   LoadBytes, Gather, Multiples         as they are called; any address, and `count` lanes of it
//   ToFloats, ToIntegers, StoreBytes     conversions of words; the last keeps each word's lowest byte
//   Subtract, LargerUnsigned, LargestUnsigned, FlipSigns, Magnitude

#include "kernels/tiled/gemm.h"

namespace zrank {
namespace {

// Each block of 128 elements of a row, of X and of W, is integers times a scale. A product of blocks is a sum of
// integers, exact, times both scales. The instruction multiplies unsigned by signed bytes: X is packed with 128 added,
// and the sum of a block of W times 128 taken off where its sums begin.
//
// A packed row of X keeps the scales of its blocks behind its steps.
template <typename Registers>
struct Int8 : Registers {
  using R = Registers;
  using typename Registers::Floats, typename Registers::Words;
  static constexpr int64_t kDepth = 4;
  static constexpr int64_t kBlockSteps = kInt8Block / kDepth;
  // Behind each block's steps lie its scales and what corrects its sums, a step's room each.
  static constexpr int64_t kPanelSteps = R::kSliceSteps + 2 * R::kSliceSteps / kBlockSteps;

  template <int kRows>
  [[gnu::always_inline]] static void SumTile(const uint32_t* x, const uint32_t* w, int64_t steps,
                                             Floats (&sum)[kRows][R::kTileGroups]) {
    const auto* scales = reinterpret_cast<const float*>(x + R::kSliceSteps);
    // The sums wait in memory, or the compiler would move those of the inner loop there.
    alignas(64) float total[kRows][R::kTileColumns];
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      R::Store(total[r], Floats{});
      R::Store(total[r] + R::kLanes, Floats{});
    }
    for (; steps > 0; steps -= kBlockSteps, x += kBlockSteps, ++scales, w += kPanelBlock) {
      const Words c0 = R::LoadWords(w + kCorrections), c1 = R::LoadWords(w + kCorrections + R::kLanes);
      Words part[kRows][R::kTileGroups];
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) part[r][0] = c0, part[r][1] = c1;
      // A block's steps are all there, those beyond the depth with products of 0.
      const uint32_t* step = w;
      const uint32_t* row = x;
      const uint32_t* const end = x + zrank::Min(steps, kBlockSteps);
      do {
#pragma GCC unroll 2
        for (int k = 0; k < 2; ++k, ++row, step += R::kTileColumns) {
          const Words w0 = R::LoadWords(step), w1 = R::LoadWords(step + R::kLanes);
#pragma GCC unroll 16
          for (int r = 0; r < kRows; ++r) {
            const Words xr = R::BroadcastWord(row[r * R::kRowSteps]);
            R::AddProducts(part[r][0], xr, w0);
            R::AddProducts(part[r][1], xr, w1);
          }
        }
      } while (row < end);
      asm volatile("" : : "r"(total) : "memory");
      const Floats s0 = AsFloats(w + kScales), s1 = AsFloats(w + kScales + R::kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kRows; ++r) {
        const Floats scale = R::Broadcast(scales[r * R::kRowSteps]);
        float* y = total[r];
        R::Store(y, R::MultiplyAdd(R::ToFloats(part[r][0]), scale * s0, R::Load(y)));
        y += R::kLanes;
        R::Store(y, R::MultiplyAdd(R::ToFloats(part[r][1]), scale * s1, R::Load(y)));
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      sum[r][0] = R::Load(total[r]);
      sum[r][1] = R::Load(total[r] + R::kLanes);
    }
  }

  // Four bytes of a row are a step: transposing them as words is all.
  static void PackColumns(const Columns& columns, int64_t depth, uint32_t* out) {
    const Words half = R::BroadcastWord(0x80808080u);
    const int64_t blocks = columns.stride / kInt8Block;
    const Words indices = R::Multiples(static_cast<int>(blocks));
    for (int64_t block = 0; block * kInt8Block < depth; ++block, out += kPanelBlock) {
      Words corrections{};
#pragma GCC unroll 4
      for (int64_t k = 0; k < kBlockSteps; k += R::kLanes) {
        Words rows[R::kLanes];
#pragma GCC unroll 16
        for (int64_t i = 0; i < R::kLanes; ++i) {
          const char* row = columns.data + i * columns.stride + block * kInt8Block + 4 * k;
          // With the highest bit turned over, 128 is 0.
          rows[i] = i < columns.count ? R::FlipSigns(R::LoadBytes(row)) : Words{};
        }
        R::Transpose(rows);
#pragma GCC unroll 16
        for (int64_t i = 0; i < R::kLanes; ++i) {
          R::StoreWords(out + (k + i) * R::kTileColumns, rows[i]);
          R::AddProducts(corrections, half, rows[i]);
        }
      }
      R::StoreWords(out + kScales, R::AsWords(R::Gather(columns.scales + block, indices, columns.count)));
      R::StoreWords(out + kCorrections, R::Subtract(Words{}, corrections));
    }
  }

  static void PackRow(const float* x, int64_t depth, uint32_t* out) {
    constexpr int64_t registers = kInt8Block / R::kLanes;
    auto* bytes = reinterpret_cast<char*>(out);
    auto* scales = reinterpret_cast<float*>(out + R::kSliceSteps);
    for (int64_t k = 0; k < depth; k += kInt8Block, ++scales) {
      Floats values[registers];
      // As integers, magnitudes are in the same order, and NaN above all.
      Words most{};
#pragma GCC unroll 16
      for (int64_t i = 0; i < registers; ++i) {
        values[i] = R::Load(x + k + i * R::kLanes, depth - k - i * R::kLanes);
        most = R::LargerUnsigned(most, R::Magnitude(values[i]));
      }
      const float largest = __builtin_bit_cast(float, R::LargestUnsigned(most));
      // What is too small to divide by is zero.
      const bool zero = largest < 0x1p-100f;
      const Floats inverse = R::Broadcast(zero ? 0.0f : 127.0f / largest);
      *scales = zero ? 0.0f : largest / 127.0f;
#pragma GCC unroll 16
      for (int64_t i = 0; i < registers; ++i) {
        const Words rounded = R::ToIntegers(values[i] * inverse);
        R::StoreBytes(bytes + k + i * R::kLanes, R::Subtract(rounded, R::BroadcastWord(static_cast<uint32_t>(-128))));
      }
    }
  }

 private:
  static Floats AsFloats(const uint32_t* words) { return R::AsFloats(R::LoadWords(words)); }

  // Where in a block of a panel its scales and corrections lie, and the next block.
  static constexpr int64_t kScales = kBlockSteps * R::kTileColumns;
  static constexpr int64_t kCorrections = kScales + R::kTileColumns;
  static constexpr int64_t kPanelBlock = kCorrections + R::kTileColumns;
};

}  // namespace
}  // namespace zrank
