#pragma once

#include <array>

#include "core/contract.h"
#include "core/graph_input.h"
#include "core/pack.h"

namespace zrank {

// A batch as zrank's attention on CUDA takes it (kernels/cuda/arguments.h): unique rows, and what is to be computed of
// them in tiles. Every row is part of one tile, those that padding added too.
struct TiledBatch {
  std::vector<int32_t> input_ids;   // [T]
  std::vector<int32_t> positions;   // [T] of each token in its sequences
  std::vector<int32_t> expand;      // [B, S] as in PackedBatch
  std::vector<int32_t> last;        // [B] row of each sequence's last token
  std::vector<int32_t> tiles;       // [N, 4] cuda::Tile over the T rows, the longest work first
  std::vector<int32_t> last_tiles;  // [M, 4] the same over B rows, of each sequence's last token
  int32_t longest = 0;              // S

  int64_t tokens() const { return static_cast<int64_t>(input_ids.size()); }
  int64_t sequences() const { return static_cast<int64_t>(last.size()); }
};

// Takes a batch as it is packed, padded (PadToBuckets) or not. The counts of tiles are padded to sizes that recur.
TiledBatch LayOutTiles(const PackedBatch& batch);

// The inputs of a graph that takes it; views of the batch.
std::array<GraphInput, graph::kTiledInputs.size()> InputsOf(const TiledBatch& batch);

}  // namespace zrank
