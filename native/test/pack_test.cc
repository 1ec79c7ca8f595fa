// The packed layout on literal batches, and on random ones: laid out again, every sequence is what it was.

#include "core/pack.h"

#include <random>
#include <set>

#include "core/contract.h"
#include "test/check.h"

namespace zrank {
namespace {

using Ids = std::vector<int32_t>;

PackedBatch PackIds(const std::vector<Ids>& sequences) {
  std::vector<Sequence> views;
  for (const auto& ids : sequences) views.push_back({ids, {}});
  return Pack(views);
}

TEST(one_sequence_is_itself) {
  const PackedBatch batch = PackIds({{7, 8, 9}});
  CHECK_EQ(batch.input_ids, {7, 8, 9});
  CHECK_EQ(batch.expand, {0, 1, 2});
  CHECK_EQ(batch.compact, {0, 1, 2});
  CHECK_EQ(batch.seqlens_k, {2});
  CHECK_EQ(batch.last, {2});
  CHECK_EQ(batch.last_flat, {2});
  CHECK_EQ(batch.score_row, {0});
  CHECK_EQ(batch.longest, {3});
}

TEST(shared_beginnings_are_one_run_of_rows) {
  const PackedBatch batch = PackIds({{1, 2, 5}, {1, 2, 4, 6}});
  // Packed in lexicographic order: the second sequence first.
  CHECK_EQ(batch.input_ids, {1, 2, 4, 6, 5});
  CHECK_EQ(batch.expand, {0, 1, 2, 3, 0, 1, 4, 0});
  CHECK_EQ(batch.compact, {0, 1, 2, 3, 6});
  CHECK_EQ(batch.seqlens_k, {3, 2});
  CHECK_EQ(batch.last, {3, 4});
  CHECK_EQ(batch.last_flat, {3, 6});
  CHECK_EQ(batch.score_row, {1, 0});
}

TEST(equal_sequences_share_everything) {
  const PackedBatch batch = PackIds({{1, 2}, {1, 2}, {1, 2}});
  CHECK_EQ(batch.input_ids, {1, 2});
  CHECK_EQ(batch.sequences(), {1});
  CHECK_EQ(batch.score_row, {0, 0, 0});
}

TEST(a_sequence_that_begins_another_ends_inside_it) {
  const PackedBatch batch = PackIds({{1, 2, 3}, {1, 2}});
  CHECK_EQ(batch.input_ids, {1, 2, 3});
  CHECK_EQ(batch.last, {1, 2});
  CHECK_EQ(batch.expand, {0, 1, 0, 0, 1, 2});
  CHECK_EQ(batch.score_row, {1, 0});
}

TEST(padding_adds_rows_that_decide_nothing) {
  PackedBatch batch = PackIds({{1, 2, 5}, {1, 2, 4, 6}});
  PadToBuckets(batch);
  CHECK_EQ(batch.longest, 16);
  CHECK_EQ(batch.tokens(), 32);
  CHECK_EQ(batch.sequences(), 2);
  CHECK_EQ(batch.last_flat, {3, 18});
  CHECK_EQ(std::vector<int32_t>(batch.expand.begin() + 16, batch.expand.begin() + 20), {0, 1, 4, 0});
  CHECK_EQ(std::vector<int32_t>(batch.compact.begin(), batch.compact.begin() + 6), {0, 1, 2, 3, 18, 0});
}

TEST(padded_sizes_recur_and_stay_close) {
  std::set<int64_t> sizes;
  for (int32_t length = 100; length <= 4000; ++length) {
    Ids ids(static_cast<size_t>(length));
    for (int32_t i = 0; i < length; ++i) ids[static_cast<size_t>(i)] = i;
    PackedBatch batch = PackIds({ids});
    PadToBuckets(batch);
    CHECK(batch.tokens() >= length && batch.tokens() * 32 <= length * 33 + 32);
    CHECK(batch.longest >= length && batch.longest * 8 <= length * 9 + 8);
    sizes.insert(batch.tokens());
  }
  CHECK(sizes.size() < 200);
}

// With and without padding.
void CheckLayout(bool padded) {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Ids> sequences(1 + random() % 12);
    for (auto& ids : sequences) {
      ids.resize(1 + random() % 9);
      for (auto& id : ids) id = static_cast<int32_t>(random() % 3);
    }
    PackedBatch batch = PackIds(sequences);
    const size_t unique = batch.input_ids.size();
    if (padded) PadToBuckets(batch);
    const auto longest = static_cast<size_t>(batch.longest);
    std::set<Ids> prefixes;
    for (size_t i = 0; i < sequences.size(); ++i) {
      const size_t b = batch.score_row[i];
      const size_t length = static_cast<size_t>(batch.seqlens_k[b]) + 1;
      Ids again;
      for (size_t s = 0; s < length; ++s) {
        const auto row = static_cast<size_t>(batch.expand[b * longest + s]);
        again.push_back(batch.input_ids[row]);
        prefixes.insert(again);
      }
      CHECK_EQ(again, {sequences[i]});
      CHECK_EQ(batch.last[b], {batch.expand[b * longest + length - 1]});
      CHECK_EQ(batch.last_flat[b], {static_cast<int32_t>(b * longest + length - 1)});
    }
    // A row for every distinct prefix and no more; compact points at a place that expands to the same row.
    CHECK_EQ(unique, {prefixes.size()});
    for (size_t row = 0; row < unique; ++row) {
      CHECK_EQ(batch.expand[static_cast<size_t>(batch.compact[row])], {static_cast<int32_t>(row)});
    }
  }
}

TEST(any_batch_lays_out_as_it_came) { CheckLayout(false); }
TEST(any_padded_batch_lays_out_as_it_came) { CheckLayout(true); }

TEST(paged_sequences_are_the_packed_ones) {
  std::vector<std::vector<int32_t>> texts;
  for (int32_t length : {3, 300, 257, 256, 3, 700}) {
    std::vector<int32_t> ids{7, 8};  // all begin alike
    while (static_cast<int32_t>(ids.size()) < length) ids.push_back(length + static_cast<int32_t>(ids.size()));
    texts.push_back(ids);
  }
  std::vector<Sequence> sequences;
  for (const auto& ids : texts) sequences.push_back({ids, {}});
  const PackedBatch packed = Pack(sequences);
  const PagedBatch paged = LayOutPaged(packed);
  const auto at = [](const std::vector<int32_t>& values, int32_t i) { return values.at(static_cast<size_t>(i)); };
  std::set<int32_t> used;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto b = static_cast<int32_t>(packed.score_row[i]);
    const int32_t begin = at(paged.cumulative_sequence_length, b), end = at(paged.cumulative_sequence_length, b + 1);
    std::vector<int32_t> ids;
    for (int32_t e = begin; e < end; ++e) ids.push_back(at(paged.input_ids, at(paged.expand, e)));
    CHECK_EQ(ids, texts[i]);
    CHECK_EQ(at(paged.last_flat, b), end - 1);
    CHECK_EQ(at(paged.last, b), at(paged.expand, end - 1));
  }
  // What a token computes is read where a sequence holds that token.
  for (size_t row = 0; row < packed.input_ids.size(); ++row)
    CHECK_EQ(at(paged.expand, paged.compact[row]), static_cast<int32_t>(row));
  // No block serves two sequences, none lies beyond the cache, and every added sequence is as long as allowed.
  const int64_t width = static_cast<int64_t>(paged.block_table.size()) / paged.sequences();
  for (int64_t b = 0; b < paged.sequences(); ++b) {
    const int32_t length = paged.cumulative_sequence_length[static_cast<size_t>(b) + 1] -
                           paged.cumulative_sequence_length[static_cast<size_t>(b)];
    CHECK(length > 0 && length <= packed.longest);
    for (int64_t i = 0; i * kPagedBlockSize < length; ++i) {
      const int32_t block = paged.block_table[static_cast<size_t>(b * width + i)];
      CHECK(block < paged.blocks);
      CHECK(used.insert(block).second);
    }
  }
  CHECK_EQ(paged.cumulative_sequence_length.back(), static_cast<int32_t>(paged.expand.size()));
  CHECK_EQ(paged.attention_metadata, {700, 700});
}

TEST(paged_batches_recur_in_size) {
  std::set<size_t> sizes;
  for (int32_t count = 1; count <= 64; ++count) {
    std::vector<std::vector<int32_t>> texts;
    for (int32_t i = 0; i < count; ++i) texts.emplace_back(40, i);
    std::vector<Sequence> sequences;
    for (const auto& ids : texts) sequences.push_back({ids, {}});
    sizes.insert(LayOutPaged(Pack(sequences)).expand.size());
  }
  CHECK(sizes.size() < 64);
  CHECK_EQ(*sizes.rbegin() <= 64 * 40 * 33 / 32, true);
}

}  // namespace
}  // namespace zrank
