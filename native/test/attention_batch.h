#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/dispatch.h"

// Random inputs of attention, and a kernel's results.

namespace zrank::test {

struct AttentionShape {
  int64_t tokens, heads, key_value_heads, head_dim;
  bool has_q_norm = true, has_k_norm = true;
};

inline std::vector<float> Normal(int64_t count, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(random);
  return values;
}

// Two sequences whose tokens lie in any order; the first is somebody else's.
struct AttentionBatch {
  AttentionShape shape;
  std::vector<float> q, k, v, q_norm, k_norm, cos, sin;
  std::vector<int32_t> expand;

  AttentionBatch(const AttentionShape& shape, std::mt19937& random)
      : shape(shape), expand(static_cast<size_t>(2 * shape.tokens), 0) {
    const int64_t dim = shape.head_dim;
    q = Normal(shape.tokens * shape.heads * dim, random);
    k = Normal(shape.tokens * shape.key_value_heads * dim, random);
    v = Normal(shape.tokens * shape.key_value_heads * dim, random);
    q_norm = Normal(dim, random);
    k_norm = Normal(dim, random);
    for (int64_t i = 0; i < shape.tokens * dim / 2; ++i) {
      const double angle = static_cast<double>(i / (dim / 2)) *
                           std::pow(10'000.0, -2.0 * static_cast<double>(i % (dim / 2)) / static_cast<double>(dim));
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
    std::iota(expand.begin() + shape.tokens, expand.end(), 0);
    std::shuffle(expand.begin() + shape.tokens, expand.end(), random);
  }

  Attention attention(float* out) const {
    return {.q = q.data(),
            .k = k.data(),
            .v = v.data(),
            .q_norm = shape.has_q_norm ? q_norm.data() : nullptr,
            .k_norm = shape.has_k_norm ? k_norm.data() : nullptr,
            .cos = cos.data(),
            .sin = sin.data(),
            .expand = expand.data(),
            .out = out,
            .longest = shape.tokens,
            .heads = shape.heads,
            .key_value_heads = shape.key_value_heads,
            .head_dim = shape.head_dim,
            .epsilon = 1e-6f};
  }
};

// The positions [from, from + count) of the second sequence.
inline std::vector<float> Attend(const AttentionKernel& kernel, const AttentionBatch& batch, int64_t from,
                                 int64_t count) {
  const AttentionShape& shape = batch.shape;
  std::vector<float> out(static_cast<size_t>(count * shape.heads * shape.head_dim), NAN);
  const Attention attention = batch.attention(out.data());
  const size_t bytes = kernel.workspace_bytes(shape.head_dim) / kGemmAlignment * kGemmAlignment + kGemmAlignment;
  const std::unique_ptr<void, void (*)(void*)> workspace(std::aligned_alloc(kGemmAlignment, bytes), std::free);
  const int64_t most = kernel.max_task_rows * shape.key_value_heads / shape.heads;
  for (int64_t row = 0; row < count; row += most) {
    for (int64_t head = 0; head < shape.key_value_heads; ++head) {
      kernel.run(attention, {row, std::min(most, count - row), 1, from + row, head}, workspace.get());
    }
  }
  return out;
}

}  // namespace zrank::test
