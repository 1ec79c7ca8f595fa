// The real kernels of this processor against sums in double precision. Where the processor has none, nothing is checked.

#include "kernels/gemm.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "test/check.h"

namespace zrank {
namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};

std::unique_ptr<void, Free> Allocate(size_t bytes) {
  return std::unique_ptr<void, Free>(std::aligned_alloc(kGemmAlignment, (bytes / kGemmAlignment + 1) * kGemmAlignment));
}

uint16_t ToBf16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);  // to nearest, ties to even
}

float FromBf16(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// Weights that bf16 and fp16 hold exactly: small multiples of 1/64.
std::vector<float> Weights(size_t count, std::mt19937& random) {
  std::vector<float> weights(count);
  for (float& weight : weights) weight = static_cast<float>(static_cast<int>(random() % 129) - 64) / 64;
  return weights;
}

std::vector<uint16_t> Halves(const std::vector<float>& values, Stored stored) {
  std::vector<uint16_t> halves;
  for (float value : values) {
    // A multiple of 1/64 below 2 is normal in fp16: rebias the exponent, drop mantissa bits that are zero.
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    const auto fp16 = static_cast<uint16_t>((bits >> 16 & 0x8000) | (value == 0 ? 0 : (bits >> 13) - (112u << 10)));
    halves.push_back(stored == Stored::kBf16 ? ToBf16(value) : static_cast<uint16_t>((fp16 & 0x7fff) | (bits >> 16 & 0x8000)));
  }
  return halves;
}

// Largest error of a multiplication, relative to the sum of the products' magnitudes.
double Error(Arithmetic arithmetic, Stored stored, bool gated, int64_t rows, int64_t depth, int64_t columns) {
  const GemmKernel* kernel = FindGemmKernel(arithmetic);
  if (kernel == nullptr) return 0;
  std::mt19937 random(static_cast<uint32_t>(rows * 31 + depth * 7 + columns));
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(rows * depth));
  for (float& value : x) value = normal(random);
  const std::vector<float> w = Weights(static_cast<size_t>(columns * depth), random);
  const std::vector<float> up = Weights(static_cast<size_t>(columns * depth), random);
  const auto w16 = Halves(w, stored), up16 = Halves(up, stored);
  const bool wide = stored == Stored::kFp32;

  // NaN before, after and in Y shows what is written twice, beside or not at all.
  constexpr size_t margin = 64;
  std::vector<float> y(static_cast<size_t>(rows * columns) + 2 * margin, NAN);
  const auto workspace = Allocate(kGemmWorkspaceBytes);
  GemmInput input{x.data(), nullptr, rows, depth};
  const auto memory = Allocate(kernel->packed_bytes(input));
  input.packed = static_cast<uint32_t*>(memory.get());
  const Gemm gemm{wide ? static_cast<const void*>(w.data()) : w16.data(),
                  !gated ? nullptr : wide ? static_cast<const void*>(up.data()) : up16.data(), y.data() + margin, columns, stored};
  for (int64_t i = GemmTiles(input); i-- > 0;) kernel->pack(input, i);
  for (int64_t i = GemmBlocks(input, gemm); i-- > 0;) kernel->block(input, gemm, i, workspace.get());
  for (size_t i = 0; i < margin; ++i) {
    if (!std::isnan(y[i]) || !std::isnan(y[y.size() - 1 - i])) return INFINITY;
  }

  const auto dot = [&](const std::vector<float>& weights, int64_t r, int64_t c, double& magnitude) {
    double sum = 0;
    for (int64_t k = 0; k < depth; ++k) {
      const float value = x[r * depth + k];
      const double product = double{arithmetic == Arithmetic::kBf16 ? FromBf16(ToBf16(value)) : value} * weights[c * depth + k];
      sum += product;
      magnitude += std::abs(product);
    }
    return sum;
  };
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      double magnitude = 0, expected = dot(w, r, c, magnitude);
      if (gated) {
        double other = 0;
        const double factor = dot(up, r, c, other);
        const double silu = expected / (1 + std::exp(-expected));
        expected = silu * factor;
        magnitude = magnitude * std::abs(factor) + other * std::abs(silu);
      }
      const double error = std::abs(y[margin + static_cast<size_t>(r * columns + c)] - expected) / (magnitude + 1e-30);
      if (!(error <= worst)) worst = error;
      if (std::isnan(error)) return INFINITY;
    }
  }
  return worst;
}

// Edges of tiles (12 x 32), blocks (128 gated, 256), pairs, registers (16, 32) and slices (512 steps).
TEST(matrices_of_every_edge_multiply) {
  for (Arithmetic arithmetic : {Arithmetic::kFp32, Arithmetic::kBf16}) {
    for (Stored stored : {Stored::kBf16, Stored::kFp16, Stored::kFp32}) {
      for (bool gated : {false, true}) {
        for (int64_t rows : {1, 2, 11, 12, 13, 24, 25, 37}) {
          for (int64_t columns : {1, 15, 16, 17, 31, 32, 33, 64, 127, 128, 129, 257}) {
            for (int64_t depth : {1, 2, 31, 32, 33, 64, 127}) {
              const double error = Error(arithmetic, stored, gated, rows, depth, columns);
              if (!(error < 5e-7)) CHECK_EQ(error, {0});
            }
          }
        }
      }
    }
  }
}

TEST(depth_beyond_a_slice_adds_up) {
  for (Arithmetic arithmetic : {Arithmetic::kFp32, Arithmetic::kBf16}) {
    for (bool gated : {false, true}) {
      for (int64_t depth : {511, 512, 513, 1023, 1024, 1025, 1600, 2100}) {
        const double error = Error(arithmetic, Stored::kBf16, gated, 13, depth, 258);
        if (!(error < 5e-7)) CHECK_EQ(error, {0});
      }
    }
  }
}

TEST(more_rows_than_a_block_multiply) {
  for (Arithmetic arithmetic : {Arithmetic::kFp32, Arithmetic::kBf16}) {
    for (bool gated : {false, true}) {
      const double error = Error(arithmetic, Stored::kBf16, gated, 1051, 40, 70);
      if (!(error < 5e-7)) CHECK_EQ(error, {0});
    }
  }
}

}  // namespace
}  // namespace zrank
