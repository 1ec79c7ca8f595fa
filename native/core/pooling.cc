#include "core/pooling.h"

#include <algorithm>
#include <cmath>

namespace zrank {

namespace {

void MaxInto(std::span<const float> token, std::span<float> pooled) {
  for (size_t i = 0; i < pooled.size(); ++i) {
    // NaN wins and stays, so that a broken embedding is seen.
    if (token[i] > pooled[i] || std::isnan(token[i])) pooled[i] = token[i];
  }
}

void AddInto(std::span<const float> token, float weight, std::span<float> pooled) {
  for (size_t i = 0; i < pooled.size(); ++i) pooled[i] += weight * token[i];
}

void Divide(std::span<float> row, float divisor) {
  for (float& x : row) x /= divisor;
}

}  // namespace

void Pool(Pooling mode, std::span<const float> tokens, std::span<float> pooled) {
  const size_t width = pooled.size(), length = tokens.size() / width;
  const auto token = [&](size_t i) { return tokens.subspan(i * width, width); };
  std::fill(pooled.begin(), pooled.end(), 0.0f);
  if (length == 0) return;
  const auto count = static_cast<float>(length);
  switch (mode) {
    case Pooling::kCls:
      std::copy_n(tokens.begin(), width, pooled.begin());
      return;
    case Pooling::kLastToken:
      std::copy_n(token(length - 1).begin(), width, pooled.begin());
      return;
    case Pooling::kMax:
      std::copy_n(tokens.begin(), width, pooled.begin());
      for (size_t i = 1; i < length; ++i) MaxInto(token(i), pooled);
      return;
    case Pooling::kMean:
    case Pooling::kMeanSqrtLength:
      for (size_t i = 0; i < length; ++i) AddInto(token(i), 1, pooled);
      Divide(pooled, mode == Pooling::kMean ? count : std::sqrt(count));
      return;
    case Pooling::kWeightedMean:
      for (size_t i = 0; i < length; ++i) AddInto(token(i), static_cast<float>(i + 1), pooled);
      Divide(pooled, count * (count + 1) / 2);
      return;
  }
}

void NormalizeL2(std::span<float> row) {
  double squares = 0;
  for (float x : row) squares += static_cast<double>(x) * x;
  Divide(row, static_cast<float>(std::max(std::sqrt(squares), 1e-12)));
}

}  // namespace zrank
