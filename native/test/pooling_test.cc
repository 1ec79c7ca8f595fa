// Pooling on literal token embeddings. Nothing here needs ONNX Runtime.

#include "core/pooling.h"

#include <cmath>
#include <limits>
#include <vector>

#include "test/check.h"

namespace zrank {
namespace {

using Row = std::vector<float>;

Row Pooled(Pooling mode, const Row& tokens, size_t width = 2) {
  Row pooled(width, 99);
  Pool(mode, tokens, pooled);
  return pooled;
}

const Row kTokens{1, -4, 3, -8, 5, -6, 7, -2};  // [4, 2]

TEST(every_pooling_mode) {
  CHECK_EQ(Pooled(Pooling::kCls, kTokens), {1, -4});
  CHECK_EQ(Pooled(Pooling::kLastToken, kTokens), {7, -2});
  CHECK_EQ(Pooled(Pooling::kMax, kTokens), {7, -2});
  CHECK_EQ(Pooled(Pooling::kMean, kTokens), {4, -5});
  CHECK_EQ(Pooled(Pooling::kMeanSqrtLength, kTokens), {8, -10});
  CHECK_EQ(Pooled(Pooling::kWeightedMean, kTokens), {5, -4.6f});
}

TEST(no_tokens_pool_to_zeros) {
  for (const Pooling mode : {Pooling::kCls, Pooling::kMax, Pooling::kMean, Pooling::kMeanSqrtLength,
                             Pooling::kWeightedMean, Pooling::kLastToken}) {
    CHECK_EQ(Pooled(mode, {}), {0, 0});
  }
}

TEST(the_greatest_of_a_nan_is_nan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(Pooled(Pooling::kMax, {nan, 1}, 1)[0]));
  CHECK(std::isnan(Pooled(Pooling::kMax, {1, nan}, 1)[0]));
  CHECK(std::isnan(Pooled(Pooling::kMax, {1, nan, 2}, 1)[0]));
}

TEST(unit_length) {
  Row row{3, -4};
  NormalizeL2(row);
  CHECK_EQ(row, {0.6f, -0.8f});
  Row zeros{0, 0};
  NormalizeL2(zeros);
  CHECK_EQ(zeros, {0, 0});
}

}  // namespace
}  // namespace zrank
