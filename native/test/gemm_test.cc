// The real kernels of every target that this processor supports, and those for AMX on a model of its registers
// (amx_model.cc), against sums in double precision. Where it supports none, nothing is checked.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "kernels/dispatch.h"
#include "test/amx_model.h"
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
    halves.push_back(stored == Stored::kBf16 ? ToBf16(value)
                                             : static_cast<uint16_t>((fp16 & 0x7fff) | (bits >> 16 & 0x8000)));
  }
  return halves;
}

// A weight in memory, and the values that it stands for, [columns, depth].
struct StoredWeight {
  std::vector<float> values;
  std::vector<uint16_t> halves;
  std::vector<uint8_t> bytes;
  std::vector<float> scales;

  StoredWeight(Stored stored, int64_t columns, int64_t depth, std::mt19937& random)
      : values(Weights(static_cast<size_t>(columns * depth), random)) {
    if (stored == Stored::kInt8) {
      Quantize(columns, depth, random);
    } else {
      halves = Halves(values, stored);
    }
  }

  // Any bytes and scales; bytes beyond the depth stand for zero.
  void Quantize(int64_t columns, int64_t depth, std::mt19937& random) {
    const int64_t blocks = (depth + kInt8Block - 1) / kInt8Block;
    bytes.assign(static_cast<size_t>(columns * blocks * kInt8Block), 128);
    for (int64_t i = 0; i < columns * blocks; ++i) scales.push_back(static_cast<float>(1 + random() % 1000) / 1e5f);
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t k = 0; k < depth; ++k) {
        const int64_t block = c * blocks + k / kInt8Block;
        const auto byte = static_cast<uint8_t>(random() % 256);
        bytes[block * kInt8Block + k % kInt8Block] = byte;
        values[c * depth + k] = static_cast<float>(byte - 128) * scales[block];
      }
    }
  }

  Weight get() const {
    if (!bytes.empty()) return {bytes.data(), scales.data()};
    return {static_cast<const void*>(halves.data()), nullptr};
  }
};

// X as the arithmetic takes it. In int8, blocks of a row are integers up to 127 times their largest magnitude / 127.
std::vector<double> Rounded(Arithmetic arithmetic, const std::vector<float>& x, int64_t rows, int64_t depth) {
  std::vector<double> rounded(x.begin(), x.end());
  if (arithmetic == Arithmetic::kBf16) {
    for (size_t i = 0; i < x.size(); ++i) rounded[i] = FromBf16(ToBf16(x[i]));
  }
  if (arithmetic == Arithmetic::kInt8) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t start = 0; start < depth; start += kInt8Block) {
        const auto first = x.begin() + r * depth + start,
                   last = x.begin() + r * depth + std::min(depth, start + kInt8Block);
        float largest = 0;
        for (auto value = first; value != last; ++value) largest = std::max(largest, std::abs(*value));
        const float inverse = largest == 0 ? 0 : 127.0f / largest;
        for (auto value = first; value != last; ++value) {
          rounded[static_cast<size_t>(value - x.begin())] =
              double{std::nearbyint(*value * inverse)} * double{largest / 127.0f};
        }
      }
    }
  }
  return rounded;
}

// Of all targets that this processor supports.
std::vector<const GemmKernel*> Kernels(Arithmetic arithmetic) {
  std::vector<const GemmKernel*> kernels;
  for (const Target& target : Targets()) {
    const GemmKernel* kernel = target.FindGemm(arithmetic);
    const bool is_new = std::find(kernels.begin(), kernels.end(), kernel) == kernels.end();
    if (kernel != nullptr && is_new) kernels.push_back(kernel);
  }
  return kernels;
}

struct Product {
  std::vector<float> y;
  double error;  // largest, relative to the sum of the products' magnitudes
};

Product Multiply(const GemmKernel& kernel, Arithmetic arithmetic, Stored stored, bool gated, int64_t rows,
                 int64_t depth, int64_t columns, std::vector<float> x = {}) {
  std::mt19937 random(static_cast<uint32_t>(rows * 31 + depth * 7 + columns));
  std::normal_distribution<float> normal;
  while (x.size() < static_cast<size_t>(rows * depth)) x.push_back(normal(random));
  const StoredWeight w(stored, columns, depth, random), up(stored, columns, depth, random);
  const auto data = [&](const StoredWeight& weight) {
    return stored == Stored::kFp32 ? Weight{weight.values.data(), nullptr} : weight.get();
  };

  // NaN before, after and in Y shows what is written twice, beside or not at all.
  constexpr size_t margin = 64;
  std::vector<float> y(static_cast<size_t>(rows * columns) + 2 * margin, NAN);
  const auto workspace = Allocate(kernel.workspace_bytes);
  GemmInput input{x.data(), nullptr, rows, depth};
  const auto memory = Allocate(kernel.packed_bytes(input));
  input.packed = static_cast<uint32_t*>(memory.get());
  const Gemm gemm{data(w), gated ? data(up) : Weight{}, y.data() + margin, columns, stored};
  for (int64_t i = kernel.tiles(input); i-- > 0;) kernel.pack(input, i);
  for (int64_t i = kernel.blocks(input, gemm); i-- > 0;) kernel.block(input, gemm, i, workspace.get());
  for (size_t i = 0; i < margin; ++i) {
    if (!std::isnan(y[i]) || !std::isnan(y[y.size() - 1 - i])) return {{}, INFINITY};
  }
  y = {y.begin() + margin, y.end() - margin};

  const std::vector<double> factors = Rounded(arithmetic, x, rows, depth);
  const auto dot = [&](const std::vector<float>& weights, int64_t r, int64_t c, double& magnitude) {
    double sum = 0;
    for (int64_t k = 0; k < depth; ++k) {
      const double product = factors[static_cast<size_t>(r * depth + k)] * weights[c * depth + k];
      sum += product;
      magnitude += std::abs(product);
    }
    return sum;
  };
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      double magnitude = 0, expected = dot(w.values, r, c, magnitude);
      if (gated) {
        double other = 0;
        const double factor = dot(up.values, r, c, other);
        const double silu = expected / (1 + std::exp(-expected));
        expected = silu * factor;
        magnitude = magnitude * std::abs(factor) + other * std::abs(silu);
      }
      const double error = std::abs(y[static_cast<size_t>(r * columns + c)] - expected) / (magnitude + 1e-30);
      if (!(error <= worst)) worst = error;
      if (std::isnan(error)) worst = INFINITY;
    }
  }
  return {y, worst};
}

void Check(const GemmKernel& kernel, Arithmetic arithmetic, Stored stored, bool gated, int64_t rows, int64_t depth,
           int64_t columns) {
  const double error = Multiply(kernel, arithmetic, stored, gated, rows, depth, columns).error;
  if (!(error < 5e-7)) CHECK_EQ(error, {0});
}

void Check(Arithmetic arithmetic, Stored stored, bool gated, int64_t rows, int64_t depth, int64_t columns) {
  for (const GemmKernel* kernel : Kernels(arithmetic)) Check(*kernel, arithmetic, stored, gated, rows, depth, columns);
}

struct Way {
  Arithmetic arithmetic;
  Stored stored;
};
constexpr Way kWays[] = {
    {Arithmetic::kFp32, Stored::kBf16}, {Arithmetic::kFp32, Stored::kFp16}, {Arithmetic::kFp32, Stored::kFp32},
    {Arithmetic::kBf16, Stored::kBf16}, {Arithmetic::kBf16, Stored::kFp16}, {Arithmetic::kBf16, Stored::kFp32},
    {Arithmetic::kInt8, Stored::kInt8},
};

// Edges of tiles (6 x 16, 12 x 32, 32 x 32), blocks (128 gated, 256), steps (2, 4), registers (8, 16, 32) and blocks of
// int8 (128).
TEST(matrices_of_every_edge_multiply) {
  for (const auto& [arithmetic, stored] : kWays) {
    for (bool gated : {false, true}) {
      for (int64_t rows : {1, 5, 6, 7, 12, 13, 16, 17, 33}) {
        for (int64_t columns : {1, 8, 9, 15, 16, 17, 31, 32, 33, 129, 257}) {
          for (int64_t depth : {1, 2, 9, 31, 32, 33, 64, 129}) Check(arithmetic, stored, gated, rows, depth, columns);
        }
      }
    }
  }
}

// Edges of slices (256 and 512 steps).
TEST(depth_beyond_a_slice_adds_up) {
  for (const auto& [arithmetic, stored] : {kWays[0], kWays[3], kWays[6]}) {
    for (bool gated : {false, true}) {
      for (int64_t depth : {255, 511, 512, 513, 1023, 1024, 1025, 1600, 2048, 2049, 2100, 4200})
        Check(arithmetic, stored, gated, 13, depth, 258);
    }
  }
}

TEST(more_rows_than_a_block_multiply) {
  for (const auto& [arithmetic, stored] : {kWays[0], kWays[3], kWays[6]}) {
    for (bool gated : {false, true}) Check(arithmetic, stored, gated, 1051, 40, 70);
  }
}

#ifdef __x86_64__
TEST(matrices_multiply_on_a_model_of_amx) {
  if (!__builtin_cpu_supports("avx512bf16")) return;
  for (bool gated : {false, true}) {
    for (int64_t rows : {1, 16, 17, 33}) {
      for (int64_t columns : {1, 16, 31, 257}) {
        for (int64_t depth : {1, 33, 1025})
          Check(test::kAmxModelGemm, Arithmetic::kBf16, Stored::kBf16, gated, rows, depth, columns);
      }
    }
  }
}
#endif

// What cannot be a score must not become one.
TEST(int8_keeps_zero_and_what_is_not_finite) {
  constexpr int64_t depth = 200, columns = 40;
  for (const GemmKernel* kernel : Kernels(Arithmetic::kInt8)) {
    for (float odd : {0.0f, NAN, -NAN, INFINITY, -INFINITY}) {
      for (int64_t at : {0, 100, 127, 128, 199}) {
        std::vector<float> x(3 * depth, 0.0f);
        x[depth + at] = odd;
        const std::vector<float> y = Multiply(*kernel, Arithmetic::kInt8, Stored::kInt8, false, 3, depth, columns, x).y;
        for (int64_t c = 0; c < columns; ++c) {
          CHECK_EQ(y[c], 0.0f);
          CHECK_EQ(y[2 * columns + c], 0.0f);
          if (odd != 0) CHECK(!std::isfinite(y[columns + c]));
        }
      }
    }
  }
}

// Integer sums are exact: with factors that int8 holds, so is the product.
TEST(int8_multiplies_the_largest_integers_exactly) {
  constexpr int64_t depth = 3 * kInt8Block, columns = 33;
  for (const GemmKernel* kernel : Kernels(Arithmetic::kInt8)) {
    for (int sign : {-1, 1}) {
      const std::vector<float> x(depth, static_cast<float>(127 * sign)), scales(columns * 3, 1.0f);
      for (uint8_t byte : {0, 1, 128, 255}) {
        const std::vector<uint8_t> bytes(columns * depth, byte);
        std::vector<float> y(columns);
        const auto workspace = Allocate(kernel->workspace_bytes);
        GemmInput input{x.data(), nullptr, 1, depth};
        const auto memory = Allocate(kernel->packed_bytes(input));
        input.packed = static_cast<uint32_t*>(memory.get());
        kernel->pack(input, 0);
        kernel->block(input, {{bytes.data(), scales.data()}, {}, y.data(), columns, Stored::kInt8}, 0, workspace.get());
        for (float value : y) CHECK_EQ(value, static_cast<float>(sign * 127 * (byte - 128) * depth));
      }
    }
  }
}

}  // namespace
}  // namespace zrank
