// The real attention kernels of every target that this processor supports, and those for AMX on a model of its
// registers (amx_model.cc), against sums in double precision. Where it supports none, nothing is checked.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/processor.h"
#include "test/amx_model.h"
#include "test/attention_batch.h"
#include "test/check.h"

namespace zrank {
namespace {

using test::AttentionBatch;
using test::AttentionShape;

// A head after RMSNorm, if it has one, and rotation, as transformers' modeling_qwen3.py does it.
std::vector<double> Rotated(const float* x, const Attention& a, const float* norm, int64_t position) {
  const int64_t half = a.head_dim / 2;
  double squares = 0;
  for (int64_t i = 0; i < a.head_dim; ++i) squares += double{x[i]} * x[i];
  const double factor = 1 / std::sqrt(squares / static_cast<double>(a.head_dim) + a.epsilon);
  const auto normed = [&](int64_t i) { return norm == nullptr ? x[i] : x[i] * factor * norm[i]; };
  std::vector<double> out(static_cast<size_t>(a.head_dim));
  for (int64_t i = 0; i < a.head_dim; ++i) {
    const int64_t other = i < half ? i + half : i - half;
    const double sign = i < half ? -1 : 1;
    out[i] = normed(i) * a.cos[position * half + i % half] + sign * normed(other) * a.sin[position * half + i % half];
  }
  return out;
}

// Largest error over the positions [from, from + count).
double Error(const AttentionKernel& kernel, const AttentionShape& shape, int64_t from, int64_t count) {
  std::mt19937 random(static_cast<uint32_t>(shape.tokens * 31 + shape.head_dim + from));
  const int64_t dim = shape.head_dim, width = shape.heads * dim, key_width = shape.key_value_heads * dim;
  const AttentionBatch batch(shape, random);
  std::vector<float> out = test::Attend(kernel, batch, from, count);
  const Attention attention = batch.attention(out.data());
  const int32_t* tokens = attention.expand + shape.tokens;

  double worst = 0;
  for (int64_t row = 0; row < count; row += std::max<int64_t>(1, count / 40)) {
    for (int64_t head = 0; head < shape.heads; ++head) {
      const int64_t key_head = head * shape.key_value_heads / shape.heads, position = from + row;
      const float* q = attention.q + tokens[position] * width + head * dim;
      const auto query = Rotated(q, attention, attention.q_norm, position);
      std::vector<double> expected(static_cast<size_t>(dim)), scores;
      for (int64_t key = 0; key <= position; ++key) {
        const float* k = attention.k + tokens[key] * key_width + key_head * dim;
        const auto rotated = Rotated(k, attention, attention.k_norm, key);
        scores.push_back(std::inner_product(query.begin(), query.end(), rotated.begin(), 0.0) /
                         std::sqrt(static_cast<double>(dim)));
      }
      const double highest = *std::max_element(scores.begin(), scores.end());
      double total = 0;
      for (double& score : scores) total += score = std::exp(score - highest);
      for (int64_t key = 0; key <= position; ++key) {
        const float* v = attention.v + tokens[key] * key_width + key_head * dim;
        for (int64_t i = 0; i < dim; ++i) expected[i] += scores[key] / total * v[i];
      }
      for (int64_t i = 0; i < dim; ++i) {
        const double error = std::abs(out[row * width + head * dim + i] - expected[i]);
        if (!(error <= worst)) worst = error;
      }
    }
  }
  return worst;
}

void Expect(const AttentionShape& shape, int64_t from, int64_t count) {
  for (const Target& target : Targets()) {
    const AttentionKernel *fp32 = target.FindAttention(Arithmetic::kFp32),
                          *bf16 = target.FindAttention(Arithmetic::kBf16);
    if (fp32 != nullptr) CHECK(Error(*fp32, shape, from, count) < 2e-5);
    if (bf16 != nullptr) CHECK(Error(*bf16, shape, from, count) < 1e-1);
  }
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

TEST(heads_without_a_norm_are_only_rotated) {
  for (const bool has_k_norm : {false, true}) {
    Expect({40, 8, 2, 64, false, has_k_norm}, 0, 40);
    Expect({40, 8, 2, 64, true, has_k_norm}, 7, 30);
  }
}

#ifdef __x86_64__
TEST(sequences_attend_on_a_model_of_amx) {
  if (!ThisProcessor().avx512_bf16) return;
  for (int64_t tokens : {1, 33, 600}) {
    CHECK(Error(test::kAmxModelAttention, {tokens, 4, 2, 64}, 0, tokens) < 1e-1);
    CHECK(Error(test::kAmxModelAttention, {tokens, 3, 3, 32}, tokens / 2, tokens - tokens / 2) < 1e-1);
  }
}
#endif

}  // namespace
}  // namespace zrank
