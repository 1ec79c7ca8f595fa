#include "core/tiles.h"

#include <algorithm>
#include <utility>

#include "kernels/cuda/arguments.h"

namespace zrank {

namespace {

using cuda::kTilePositions;
using cuda::Tile;

// Counts of tiles are multiples of this; a tile of no positions costs next to nothing.
constexpr size_t kTileStep = 32;

// Cuts rows into runs of successive positions of one sequence; `flat` has each row's position in B x S. Padding's rows
// all have the first position, which no row but the first really has: they are cut as if they followed each other.
std::vector<Tile> Cut(const std::vector<int32_t>& flat, int32_t longest) {
  const auto rows = static_cast<int32_t>(flat.size());
  const auto follows = [&](int32_t row, int32_t first) {
    if (first > 0 && flat[first] == 0) return flat[row] == 0 && row - first < longest;
    return flat[row] == flat[row - 1] + 1 && flat[row] % longest != 0;
  };
  std::vector<Tile> tiles;
  for (int32_t row = 0, end; row < rows; row = end) {
    end = row + 1;
    while (end < rows && end - row < kTilePositions && follows(end, row)) ++end;
    tiles.push_back({row, end - row, flat[row] / longest, flat[row] % longest});
  }
  return tiles;
}

// The longest work first, lest a long one be left over at the end.
std::vector<int32_t> Ordered(std::vector<Tile> tiles) {
  const auto work = [](const Tile& tile) { return int64_t{tile.count} * (2 * tile.position + tile.count); };
  std::stable_sort(tiles.begin(), tiles.end(), [&](const Tile& a, const Tile& b) { return work(a) > work(b); });
  tiles.resize((tiles.size() + kTileStep - 1) / kTileStep * kTileStep, Tile{0, 0, 0, 0});
  std::vector<int32_t> numbers;
  for (const auto& [row, count, sequence, position] : tiles)
    numbers.insert(numbers.end(), {row, count, sequence, position});
  return numbers;
}

}  // namespace

TiledBatch LayOutTiles(const PackedBatch& batch) {
  TiledBatch tiled;
  tiled.tiles = Ordered(Cut(batch.compact, batch.longest));
  std::vector<Tile> last;
  for (int32_t b = 0; b < static_cast<int32_t>(batch.last_flat.size()); ++b)
    last.push_back({b, 1, batch.last_flat[b] / batch.longest, batch.last_flat[b] % batch.longest});
  tiled.last_tiles = Ordered(std::move(last));
  for (const int32_t position : batch.compact) tiled.positions.push_back(position % batch.longest);
  tiled.input_ids = batch.input_ids;
  tiled.expand = batch.expand;
  tiled.last = batch.last;
  tiled.longest = batch.longest;
  return tiled;
}

std::array<GraphInput, graph::kTiledInputs.size()> InputsOf(const TiledBatch& batch) {
  const auto count = [](const std::vector<int32_t>& tiles) { return static_cast<int64_t>(tiles.size()) / 4; };
  return {
      GraphInput(graph::kInputIds, batch.input_ids, {batch.tokens()}),
      GraphInput(graph::kPositions, batch.positions, {batch.tokens()}),
      GraphInput(graph::kExpand, batch.expand, {batch.sequences(), batch.longest}),
      GraphInput(graph::kLast, batch.last, {batch.sequences()}),
      GraphInput(graph::kTiles, batch.tiles, {count(batch.tiles), 4}),
      GraphInput(graph::kLastTiles, batch.last_tiles, {count(batch.last_tiles), 4}),
  };
}

}  // namespace zrank
