#include "core/pack.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/contract.h"

namespace zrank {

namespace {

bool Less(const Sequence& a, const Sequence& b) {
  return std::lexicographical_compare(a.ids.begin(), a.ids.end(), b.ids.begin(), b.ids.end());
}

size_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

// The next size of a scale with `steps` sizes between powers of two, and none below `steps` but multiples of 1.
size_t RoundUp(size_t size, size_t steps) {
  size_t step = 1;
  while (size > 2 * steps * step) step *= 2;
  return (size + step - 1) / step * step;
}

// [T] rounded up
size_t PaddedTokens(const PackedBatch& batch) { return RoundUp(std::max<size_t>(batch.input_ids.size(), 32), 32); }

}  // namespace

void PadToBuckets(PackedBatch& batch) {
  const auto longest = static_cast<size_t>(batch.longest);
  const size_t sequences = batch.last.size();
  const size_t width = RoundUp(std::max(longest, kMinPaddedLength), kPaddedLengthSteps);
  const auto move = [&](int32_t& position) {
    const auto flat = static_cast<size_t>(position);
    position = static_cast<int32_t>(flat / longest * width + flat % longest);
  };
  std::for_each(batch.compact.begin(), batch.compact.end(), move);
  std::for_each(batch.last_flat.begin(), batch.last_flat.end(), move);

  const size_t rows = RoundUp(sequences, 8);
  std::vector<int32_t> expand(rows * width, 0);
  for (size_t b = 0; b < sequences; ++b) {
    std::copy_n(batch.expand.begin() + b * longest, longest, expand.begin() + b * width);
  }
  batch.expand = std::move(expand);
  batch.seqlens_k.resize(rows, 0);
  batch.last.resize(rows, 0);
  batch.last_flat.resize(rows, 0);
  const size_t tokens = PaddedTokens(batch);
  batch.input_ids.resize(tokens, 0);
  batch.compact.resize(tokens, 0);
  batch.longest = static_cast<int32_t>(width);
}

PagedBatch LayOutPaged(const PackedBatch& batch) {
  PagedBatch paged;
  paged.input_ids = batch.input_ids;
  paged.last = batch.last;
  paged.attention_metadata.assign(2, batch.longest);
  const auto longest = static_cast<size_t>(batch.longest);
  const size_t width = (longest + kPagedBlockSize - 1) / kPagedBlockSize;

  const auto append = [&](size_t length) {
    paged.cumulative_sequence_length.push_back(static_cast<int32_t>(paged.expand.size()));
    const size_t blocks = (length + kPagedBlockSize - 1) / kPagedBlockSize;
    // Entries beyond a sequence's end name a block that exists.
    for (size_t i = 0; i < width; ++i)
      paged.block_table.push_back(i < blocks ? static_cast<int32_t>(paged.blocks++) : 0);
  };
  std::vector<int32_t> starts;  // in E, of each packed sequence
  for (size_t b = 0; b < batch.last.size(); ++b) {
    const auto length = static_cast<size_t>(batch.seqlens_k[b]) + 1;
    starts.push_back(static_cast<int32_t>(paged.expand.size()));
    append(length);
    const auto row = batch.expand.begin() + static_cast<std::ptrdiff_t>(b * longest);
    paged.expand.insert(paged.expand.end(), row, row + static_cast<std::ptrdiff_t>(length));
    paged.last_flat.push_back(static_cast<int32_t>(paged.expand.size()) - 1);
  }
  for (int32_t position : batch.compact) {
    paged.compact.push_back(starts[static_cast<size_t>(position) / longest] +
                            static_cast<int32_t>(static_cast<size_t>(position) % longest));
  }

  const size_t expanded = RoundUp(std::max<size_t>(paged.expand.size(), 32), 32);
  while (paged.expand.size() < expanded) {
    const size_t length = std::min(longest, expanded - paged.expand.size());
    append(length);
    paged.expand.resize(paged.expand.size() + length, 0);
  }
  paged.cumulative_sequence_length.push_back(static_cast<int32_t>(expanded));
  paged.past_seqlens.assign(paged.cumulative_sequence_length.size() - 1, 0);
  paged.blocks = static_cast<int64_t>(RoundUp(static_cast<size_t>(paged.blocks), 8));
  const size_t rows = RoundUp(paged.last.size(), 8);
  paged.last.resize(rows, 0);
  paged.last_flat.resize(rows, 0);
  paged.input_ids.resize(PaddedTokens(batch), 0);
  paged.compact.resize(paged.input_ids.size(), 0);
  return paged;
}

// In lexicographic order, all that a sequence shares with any before it, it shares with the one just before it. So the
// trie needs no nodes: the rows of the previous sequence are the path to walk.
PackedBatch Pack(std::span<const Sequence> sequences) {
  PackedBatch batch;
  batch.score_row.resize(sequences.size());
  std::vector<uint32_t> order(sequences.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return Less(sequences[a], sequences[b]); });

  size_t longest = 0;
  for (const Sequence& sequence : sequences) longest = std::max(longest, sequence.ids.size());
  batch.longest = static_cast<int32_t>(longest);

  std::vector<int32_t> rows;  // of the previous sequence, a row a position
  std::span<const int32_t> previous;
  for (uint32_t index : order) {
    const std::span<const int32_t> ids = sequences[index].ids;
    const size_t shared = CommonPrefix(previous, ids);
    if (shared == ids.size() && shared == previous.size() && !rows.empty()) {
      batch.score_row[index] = static_cast<uint32_t>(batch.sequences() - 1);
      continue;
    }
    const auto start = static_cast<int32_t>(batch.expand.size());
    rows.resize(ids.size());
    for (size_t i = shared; i < ids.size(); ++i) {
      rows[i] = static_cast<int32_t>(batch.input_ids.size());
      batch.input_ids.push_back(ids[i]);
      batch.compact.push_back(start + static_cast<int32_t>(i));
    }
    batch.expand.insert(batch.expand.end(), rows.begin(), rows.end());
    batch.expand.resize(start + longest, 0);
    batch.score_row[index] = static_cast<uint32_t>(batch.sequences());
    batch.seqlens_k.push_back(static_cast<int32_t>(ids.size()) - 1);
    batch.last.push_back(rows.back());
    batch.last_flat.push_back(start + static_cast<int32_t>(ids.size()) - 1);
    previous = ids;
  }
  return batch;
}

}  // namespace zrank
