// The real attention kernels of this processor against sums in double precision. Where it has none, nothing is checked.

#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "test/check.h"

namespace zrank {
namespace {

struct Shape {
  int64_t tokens, heads, key_value_heads, head_dim;
};

std::vector<float> Normal(int64_t count, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// A head after RMSNorm and rotation, as transformers' modeling_qwen3.py does it.
std::vector<double> Rotated(const float* x, const Attention& a, const float* norm, int64_t position) {
  const int64_t half = a.head_dim / 2;
  double squares = 0;
  for (int64_t i = 0; i < a.head_dim; ++i) squares += double{x[i]} * x[i];
  const double factor = 1 / std::sqrt(squares / static_cast<double>(a.head_dim) + a.epsilon);
  std::vector<double> out(static_cast<size_t>(a.head_dim));
  for (int64_t i = 0; i < a.head_dim; ++i) {
    const int64_t other = i < half ? i + half : i - half;
    const double sign = i < half ? -1 : 1;
    out[i] = x[i] * factor * norm[i] * a.cos[position * half + i % half] +
             sign * x[other] * factor * norm[other] * a.sin[position * half + i % half];
  }
  return out;
}

// Largest error over the positions [from, from + count) of one sequence whose tokens lie in the order of `tokens`.
double Error(Arithmetic arithmetic, const Shape& shape, int64_t from, int64_t count) {
  const AttentionKernel* kernel = FindAttentionKernel(arithmetic);
  if (kernel == nullptr) return 0;
  std::mt19937 random(static_cast<uint32_t>(shape.tokens * 31 + shape.head_dim + from));
  const int64_t dim = shape.head_dim, width = shape.heads * dim, key_width = shape.key_value_heads * dim;
  const auto q = Normal(shape.tokens * width, random), k = Normal(shape.tokens * key_width, random),
             v = Normal(shape.tokens * key_width, random);
  const auto q_norm = Normal(dim, random), k_norm = Normal(dim, random);
  std::vector<float> cos, sin;
  for (int64_t i = 0; i < shape.tokens * dim / 2; ++i) {
    const double angle = static_cast<double>(i / (dim / 2)) *
                         std::pow(10'000.0, -2.0 * static_cast<double>(i % (dim / 2)) / static_cast<double>(dim));
    cos.push_back(static_cast<float>(std::cos(angle)));
    sin.push_back(static_cast<float>(std::sin(angle)));
  }
  // The second of two sequences; the first is somebody else's.
  std::vector<int32_t> expand(static_cast<size_t>(2 * shape.tokens), 0);
  std::iota(expand.begin() + shape.tokens, expand.end(), 0);
  std::shuffle(expand.begin() + shape.tokens, expand.end(), random);
  const int32_t* tokens = expand.data() + shape.tokens;

  std::vector<float> out(static_cast<size_t>(count * width), NAN);
  const Attention attention{q.data(),   k.data(),      v.data(),   q_norm.data(), k_norm.data(), cos.data(),
                            sin.data(), expand.data(), out.data(), shape.tokens,  shape.heads,   shape.key_value_heads,
                            dim,        1e-6f};
  const size_t bytes = kernel->workspace_bytes(dim) / kGemmAlignment * kGemmAlignment + kGemmAlignment;
  const std::unique_ptr<void, void (*)(void*)> workspace(std::aligned_alloc(kGemmAlignment, bytes), std::free);
  const int64_t most = MaxTaskPositions(shape.heads / shape.key_value_heads);
  for (int64_t row = 0; row < count; row += most) {
    for (int64_t head = 0; head < shape.key_value_heads; ++head) {
      kernel->run(attention, {row, std::min(most, count - row), 1, from + row, head}, workspace.get());
    }
  }

  double worst = 0;
  for (int64_t row = 0; row < count; row += std::max<int64_t>(1, count / 40)) {
    for (int64_t head = 0; head < shape.heads; ++head) {
      const int64_t key_head = head * shape.key_value_heads / shape.heads, position = from + row;
      const auto query = Rotated(&q[tokens[position] * width + head * dim], attention, q_norm.data(), position);
      std::vector<double> expected(static_cast<size_t>(dim)), scores;
      for (int64_t key = 0; key <= position; ++key) {
        const auto rotated = Rotated(&k[tokens[key] * key_width + key_head * dim], attention, k_norm.data(), key);
        scores.push_back(std::inner_product(query.begin(), query.end(), rotated.begin(), 0.0) /
                         std::sqrt(static_cast<double>(dim)));
      }
      const double highest = *std::max_element(scores.begin(), scores.end());
      double total = 0;
      for (double& score : scores) total += score = std::exp(score - highest);
      for (int64_t key = 0; key <= position; ++key) {
        for (int64_t i = 0; i < dim; ++i)
          expected[i] += scores[key] / total * v[tokens[key] * key_width + key_head * dim + i];
      }
      for (int64_t i = 0; i < dim; ++i) {
        const double error = std::abs(out[row * width + head * dim + i] - expected[i]);
        if (!(error <= worst)) worst = error;
      }
    }
  }
  return worst;
}

void Expect(const Shape& shape, int64_t from, int64_t count) {
  CHECK(Error(Arithmetic::kFp32, shape, from, count) < 2e-5);
  CHECK(Error(Arithmetic::kBf16, shape, from, count) < 1e-1);
}

TEST(sequences_of_every_edge_attend) {
  for (int64_t tokens : {1, 2, 5, 6, 7, 15, 16, 17, 31, 32, 33, 100}) {
    Expect({tokens, 4, 2, 64}, 0, tokens);
    Expect({tokens, 4, 2, 64}, tokens - 1, 1);
  }
}

TEST(heads_of_every_width_and_grouping_attend) {
  for (int64_t dim : {32, 64, 96, 128}) {
    Expect({40, 8, 2, dim}, 0, 40);
    Expect({40, 3, 3, dim}, 20, 20);
    Expect({40, 5, 1, dim}, 7, 30);
  }
}

TEST(keys_beyond_a_block_attend) {
  Expect({512, 2, 1, 32}, 0, 512);
  Expect({513, 2, 1, 32}, 0, 513);
  Expect({1100, 2, 1, 32}, 0, 1100);
  Expect({1100, 2, 1, 32}, 700, 400);
}

}  // namespace
}  // namespace zrank
