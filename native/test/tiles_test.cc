// The real LayOutTiles on batches of the real Pack, against literals.

#include "core/tiles.h"

#include "test/check.h"

namespace zrank {
namespace {

using Numbers = std::vector<int32_t>;

PackedBatch Packed(const std::vector<Numbers>& ids) {
  std::vector<Sequence> sequences;
  for (const Numbers& sequence : ids) sequences.push_back({sequence, {}});
  return Pack(sequences);
}

// The tiles that count something.
Numbers Real(const Numbers& tiles) {
  CHECK_EQ(tiles.size() % (32 * 4), size_t{0});
  Numbers real;
  for (size_t i = 0; i < tiles.size(); i += 4)
    if (tiles[i + 1] > 0)
      real.insert(real.end(), tiles.begin() + static_cast<std::ptrdiff_t>(i),
                  tiles.begin() + static_cast<std::ptrdiff_t>(i + 4));
  return real;
}

TEST(a_tile_is_a_run_of_rows_of_one_sequence_the_longest_work_first) {
  // 1 2 3 is shared; rows 0-3 are the first sequence's, 4 and 5 end the second.
  const TiledBatch tiled = LayOutTiles(Packed({{1, 2, 3, 4}, {1, 2, 3, 5, 6}}));
  CHECK_EQ(tiled.positions, Numbers{0, 1, 2, 3, 3, 4});
  CHECK_EQ(Real(tiled.tiles), Numbers{0, 4, 0, 0, 4, 2, 1, 3});
  CHECK_EQ(Real(tiled.last_tiles), Numbers{1, 1, 1, 4, 0, 1, 0, 3});
  CHECK_EQ(tiled.last, Numbers{3, 5});
  CHECK_EQ(tiled.longest, 5);
}

TEST(a_run_is_cut_where_a_tile_is_full) {
  Numbers ids(300);
  for (int32_t i = 0; i < 300; ++i) ids[i] = i;
  CHECK_EQ(Real(LayOutTiles(Packed({ids})).tiles), Numbers{128, 128, 0, 128, 256, 44, 0, 256, 0, 128, 0, 0});
}

TEST(every_row_of_a_padded_batch_is_in_one_tile) {
  PackedBatch packed = Packed({{1, 2, 3, 4}, {1, 2, 3, 5, 6}, {7}});
  PadToBuckets(packed);
  const TiledBatch tiled = LayOutTiles(packed);
  std::vector<int> covered(tiled.input_ids.size());
  const Numbers tiles = Real(tiled.tiles);
  for (size_t i = 0; i < tiles.size(); i += 4) {
    CHECK(tiles[i + 2] < tiled.sequences());
    CHECK(tiles[i + 3] + tiles[i + 1] <= tiled.longest);
    for (int32_t row = tiles[i]; row < tiles[i] + tiles[i + 1]; ++row) ++covered[row];
  }
  CHECK_EQ(covered, std::vector<int>(32, 1));
  // Seven rows are real; those behind them are cut as if they followed each other.
  CHECK_EQ(tiles.size() / 4, size_t{5});
  CHECK_EQ(Real(tiled.last_tiles).size() / 4, static_cast<size_t>(tiled.sequences()));
}

}  // namespace
}  // namespace zrank
