#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace zrank {

// One tokenized prompt. The memory belongs to the request.
struct Sequence {
  std::span<const int32_t> ids;
  std::span<const uint8_t> type_ids;  // segment of each token, for encoders that ask for it; else empty
};

// A batch as the packed graph takes it. The sequences form a trie by their token ids: whatever begins alike is one run
// of rows. T unique tokens, B distinct sequences, S the longest of them.
struct PackedBatch {
  std::vector<int32_t> input_ids;   // [T]
  std::vector<int32_t> expand;      // [B, S] row of input_ids for each position; 0 beyond a sequence's end
  std::vector<int32_t> compact;     // [T] a position in B x S that holds the row
  std::vector<int32_t> seqlens_k;   // [B] length - 1, as GroupQueryAttention takes it
  std::vector<int32_t> last;        // [B] row of each sequence's last token
  std::vector<int32_t> last_flat;   // [B] position in B x S of each sequence's last token
  std::vector<uint32_t> score_row;  // [items] the sequence b whose score the item gets: equal items share one
  int32_t longest = 0;              // S

  int64_t tokens() const { return static_cast<int64_t>(input_ids.size()); }
  int64_t sequences() const { return static_cast<int64_t>(last.size()); }
};

// Pads T, B and S up to sizes that recur, so that a device's memory arena meets the same shapes again. The added rows
// and sequences hold token 0 and decide nothing; at most 1/32 of T and 1/8 of B and S is added above small sizes.
void PadToBuckets(PackedBatch& batch);

// A batch as PagedAttention takes it: the sequences without padding, one after the other, E tokens in all, and a cache
// that is empty before the run. Padded up to sizes that recur by sequences of token 0, which decide nothing; B counts
// the packed sequences (rounded up), B' those and the added ones.
struct PagedBatch {
  std::vector<int32_t> input_ids;                   // [T]
  std::vector<int32_t> expand;                      // [E] row of input_ids for each position
  std::vector<int32_t> compact;                     // [T] a position in E that holds the row
  std::vector<int32_t> last;                        // [B] row of each sequence's last token
  std::vector<int32_t> last_flat;                   // [B] position in E of each sequence's last token
  std::vector<int32_t> cumulative_sequence_length;  // [B' + 1] where each sequence begins and ends in E
  std::vector<int32_t> past_seqlens;                // [B'] zeros
  std::vector<int32_t> block_table;                 // [B', W] the cache's blocks that a sequence fills
  std::vector<int32_t> attention_metadata;          // [2] longest sequence, twice: of the queries and of the keys
  int64_t blocks = 0;                               // of the cache

  int64_t tokens() const { return static_cast<int64_t>(input_ids.size()); }
  int64_t sequences() const { return static_cast<int64_t>(past_seqlens.size()); }
};

PagedBatch LayOutPaged(const PackedBatch& batch);

// Packs sequences, each of at least one token.
PackedBatch Pack(std::span<const Sequence> sequences);

}  // namespace zrank
