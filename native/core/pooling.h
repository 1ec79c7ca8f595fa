#pragma once

#include <cstddef>
#include <span>

#include "core/contract.h"

namespace zrank {

// `tokens` is [length, width], without padding; writes `pooled` [width]. No tokens pool to zeros.
void Pool(Pooling mode, std::span<const float> tokens, std::span<float> pooled);

// Divides by the L2 norm, but never by less than 1e-12: torch.nn.functional.normalize.
void NormalizeL2(std::span<float> row);

}  // namespace zrank
