#pragma once

#include <cstddef>
#include <span>

namespace zrank {

// How the token embeddings of a sequence become one: the modes of sentence-transformers
// (sentence_transformer/modules/pooling.py).
enum class Pooling {
  kCls,  // the first token's
  kMax,  // the greatest of each dimension
  kMean,
  kMeanSqrtLength,  // the sum, divided by the root of the length
  kWeightedMean,    // token i weighs i + 1
  kLastToken,
};

// `tokens` is [length, width], without padding; writes `pooled` [width]. No tokens pool to zeros.
void Pool(Pooling mode, std::span<const float> tokens, std::span<float> pooled);

// Divides by the L2 norm, but never by less than 1e-12: torch.nn.functional.normalize.
void NormalizeL2(std::span<float> row);

}  // namespace zrank
