#pragma once

#include "kernels/cuda/head.h"

namespace zrank::cuda {

// Causal attention with online softmax, after FlashAttention-2 (arXiv 2307.08691): products of 16-bit factors with sums
// in fp32. A block takes a part of a tile and one key/value head; its rows are the part's positions times the query
// heads that share that head, stacked, so that keys and values are read once for all of them. A warp has 32 of the 128
// rows, 64 keys at a time. Rows of keys and values are found through `expand`, whose next line is copied while the
// values of this one are.
template <typename T, int kDim>
struct AttentionKernel {
  static constexpr int kKeys = kAttentionKeys;
  static constexpr int kWarps = kAttentionThreads / 32;
  static constexpr int kFragmentRows = kAttentionRows / kWarps / 16;  // of a warp, 16 rows each
  static constexpr int kRowChunks = kDim / kChunkElements;
  // A chunk between rows: then the eight rows that ldmatrix reads at once lie in different banks.
  static constexpr uint32_t kStride = (kRowChunks + 1) * sizeof(Chunk);
  static_assert(kRowChunks % 2 == 0, "an even stride would meet the same banks");

  // Shared memory, offsets in bytes.
  static constexpr uint32_t kQueries = 0, kKeyRows = kQueries + kAttentionRows * kStride,
                            kValueRows = kKeyRows + kKeys * kStride, kIndices = kValueRows + kKeys * kStride,
                            kIndexLine = kKeys * sizeof(int32_t);
  static_assert(kIndices + 2 * kIndexLine == AttentionSharedBytes(kDim));

  // What all threads of a block know.
  struct Part {
    int32_t row, count, position;  // as in Tile
    int32_t key_value_head, group;
    const int32_t* line;  // of `expand`
    ZRANK_DEVICE int32_t keys() const { return position + count; }
  };

  static ZRANK_DEVICE void Run(const AttentionArguments& a) {
    Part part;
    if (!Find(a, part)) return;
    CopyIndices(part, 0);
    RotateQueries(a, part);
    WaitForCopies();
    Barrier();
    const int32_t k_stride = a.key_value_heads * kDim;
    CopyRows(a.k, k_stride, part, 0, kKeyRows);

    const int warp = Thread() / 32;
    const bool has_rows = warp * 16 * kFragmentRows < part.count * part.group;
    Sums sums;
    const int steps = (part.keys() + kKeys - 1) / kKeys;
    for (int step = 0; step < steps; ++step) {
      // The keys are there, and nobody reads the last step's values any more.
      WaitForCopies();
      Barrier();
      CopyRows(a.v, a.v_stride, part, step, kValueRows);
      CopyIndices(part, step + 1);
      float scores[kFragmentRows][kKeys / 8][4] = {};
      if (has_rows) MultiplyKeys(scores, warp);
      // The values and the next indices are there, and nobody reads the keys any more.
      WaitForCopies();
      Barrier();
      if (step + 1 < steps) CopyRows(a.k, k_stride, part, step + 1, kKeyRows);
      if (!has_rows) continue;
      Mask(scores, part, step, warp);
      sums.Weigh(scores);
      sums.AddValues(scores);
    }
    if (has_rows) Store(a, part, sums, warp);
  }

 private:
  static ZRANK_DEVICE int Lane() { return Thread() % 32; }

  // Parts of a tile follow each other, each in all key/value heads. False where there is nothing in this one.
  static ZRANK_DEVICE bool Find(const AttentionArguments& a, Part& part) {
    const int32_t group = a.heads / a.key_value_heads, positions = kAttentionRows / group;
    const auto key_value_head = static_cast<int32_t>(Block() % a.key_value_heads);
    const int64_t index = Block() / a.key_value_heads;
    const int32_t parts = PartsOfTile(group), first = static_cast<int32_t>(index % parts) * positions;
    const Tile tile = Read(a.tiles + index / parts);
    if (first >= tile.count) return false;
    const int32_t left = tile.count - first;
    part = {tile.row + first,
            left < positions ? left : positions,
            tile.position + first,
            key_value_head,
            group,
            a.expand + static_cast<int64_t>(tile.sequence) * a.longest};
    return true;
  }

  static ZRANK_DEVICE uint32_t IndexLine(int step) { return kIndices + (step % 2) * kIndexLine; }

  // Begins to copy the tokens of a step's keys.
  static ZRANK_DEVICE void CopyIndices(const Part& part, int step) {
    const int i = Thread(), key = step * kKeys + i;
    const bool is_there = key < part.keys();
    if (i < kKeys) CopyAsync(IndexLine(step) + i * 4, part.line + (is_there ? key : 0), is_there);
  }

  // Begins to copy a step's rows of keys or values. Those behind the part's last position are zeros: they weigh
  // nothing, but nothing times a number that is not finite would be none.
  static ZRANK_DEVICE void CopyRows(const void* from, int32_t stride, const Part& part, int step, uint32_t to) {
    const int64_t width = stride / kChunkElements;
    const Chunk* rows = static_cast<const Chunk*>(from) + part.key_value_head * kRowChunks;
    static_assert(kKeys * kRowChunks % kAttentionThreads == 0);
    ZRANK_UNROLL_BY_4  // all at once would spill registers
        for (int i = 0; i < kKeys * kRowChunks / kAttentionThreads; ++i) {
      const int at = i * kAttentionThreads + Thread(), row = at / kRowChunks, chunk = at % kRowChunks;
      const int64_t token = ReadSharedIndex(IndexLine(step) + row * 4);
      CopyAsync(to + row * kStride + chunk * sizeof(Chunk), rows + token * width + chunk,
                step * kKeys + row < part.keys());
    }
  }

  // Each warp's own rows; those that are none become zeros.
  static ZRANK_DEVICE void RotateQueries(const AttentionArguments& a, const Part& part) {
    using Head = cuda::Head<T, kDim>;
    constexpr int kHalf = kDim / 2, kAtOnce = 32 / Head::kLanes;
    const int lane = Lane(), first = Thread() / 32 * 16 * kFragmentRows + lane / Head::kLanes;
    for (int i = 0; i < 16 * kFragmentRows / kAtOnce; ++i) {
      const int row = first + i * kAtOnce, index = row / part.group;
      const bool is_there = index < part.count;
      const int64_t position = is_there ? part.position + index : 0;
      Head head = Head::Read(static_cast<const Chunk*>(a.q) + RowOf(part, row, a.q_stride), lane, is_there);
      head.Rotate(static_cast<const Chunk*>(a.q_norm), a.cos + position * kHalf, a.sin + position * kHalf, a.epsilon,
                  lane);
      const uint32_t to = kQueries + row * kStride;
      ZRANK_UNROLL
      for (int pair = 0; pair < Head::kPairs; ++pair) {
        const int chunk = Head::ChunkOf(lane, pair);
        WriteShared(to + chunk * sizeof(Chunk), head.low[pair]);
        WriteShared(to + (Head::kHalfChunks + chunk) * sizeof(Chunk), head.high[pair]);
      }
    }
  }

  // The chunk of queries or output where a row of the part begins.
  static ZRANK_DEVICE int64_t RowOf(const Part& part, int row, int32_t stride) {
    const int64_t head = part.key_value_head * part.group + row % part.group;
    return (part.row + row / part.group) * static_cast<int64_t>(stride / kChunkElements) + head * kRowChunks;
  }

  // scores = q k^T
  static ZRANK_DEVICE void MultiplyKeys(float (&scores)[kFragmentRows][kKeys / 8][4], int warp) {
    const int lane = Lane();
    // ldmatrix takes the four quarters of 16 x 16 queries row by row, of keys two blocks of 8 by halves.
    const uint32_t query = kQueries + (warp * 16 * kFragmentRows + lane % 16) * kStride + lane / 16 * sizeof(Chunk);
    const uint32_t key = kKeyRows + (lane % 8 + lane / 16 * 8) * kStride + lane / 8 % 2 * sizeof(Chunk);
    ZRANK_UNROLL
    for (int depth = 0; depth < kDim / 16; ++depth) {
      uint32_t query_rows[kFragmentRows], key_rows[kKeys / 16];
      ZRANK_UNROLL
      for (int i = 0; i < kFragmentRows; ++i) query_rows[i] = query + i * 16 * kStride + depth * 2 * sizeof(Chunk);
      ZRANK_UNROLL
      for (int i = 0; i < kKeys / 16; ++i) key_rows[i] = key + i * 16 * kStride + depth * 2 * sizeof(Chunk);
      uint32_t a[kFragmentRows][4], b[kKeys / 16][4], columns[kKeys / 8][2];
      LoadMatrices(a, query_rows);
      LoadMatrices(b, key_rows);
      Split(columns, b);
      MultiplyAdd<T>(scores, 0, a, columns);
    }
  }

  // ldmatrix gives fragments for two blocks of 8 columns at once.
  template <int kCount>
  static ZRANK_DEVICE void Split(uint32_t (&columns)[2 * kCount][2], const uint32_t (&loaded)[kCount][4]) {
    ZRANK_UNROLL
    for (int i = 0; i < 4 * kCount; ++i) columns[i / 2][i % 2] = loaded[i / 4][i % 4];
  }

  // The score of a key behind a row's position is minus infinity. The first key of all is behind none.
  static ZRANK_DEVICE void Mask(float (&scores)[kFragmentRows][kKeys / 8][4], const Part& part, int step, int warp) {
    const int first_row = warp * 16 * kFragmentRows;
    if (step * kKeys + kKeys - 1 <= part.position + first_row / part.group) return;
    ZRANK_UNROLL
    for (int i = 0; i < kFragmentRows * 2; ++i) {
      const int row = first_row + i * 8 + Lane() / 4;
      const int last = part.position + row / part.group - step * kKeys;
      ZRANK_UNROLL
      for (int j = 0; j < kKeys / 4; ++j) {
        const int key = j / 2 * 8 + Lane() % 4 * 2 + j % 2;
        if (key > last) scores[i / 2][j / 2][i % 2 * 2 + j % 2] = -INFINITY;
      }
    }
  }

  // Of each of a thread's rows: the highest score so far, and relative to it the sums of the weights and of the weighed
  // values.
  struct Sums {
    float values[kFragmentRows][kDim / 8][4] = {};
    float highest[kFragmentRows][2], weights[kFragmentRows][2];  // this thread's share of the weights

    ZRANK_DEVICE Sums() {
      ZRANK_UNROLL
      for (int i = 0; i < kFragmentRows * 2; ++i) {
        highest[i / 2][i % 2] = -INFINITY;
        weights[i / 2][i % 2] = 0.0f;
      }
    }

    // Makes weights of scores, 2^(scale (score - highest)), and the sums relative to the new highest.
    ZRANK_DEVICE void Weigh(float (&scores)[kFragmentRows][kKeys / 8][4]) {
      // 1 / sqrt(kDim), and the exponential by powers of two
      constexpr float kLog2E = 1.4426950408889634f;
      const float scale = kLog2E * ReciprocalRoot(static_cast<float>(kDim));
      ZRANK_UNROLL
      for (int i = 0; i < kFragmentRows; ++i) {
        ZRANK_UNROLL
        for (int half = 0; half < 2; ++half) {
          float most = highest[i][half];
          ZRANK_UNROLL
          for (int j = 0; j < kKeys / 4; ++j) most = Max(most, scores[i][j / 2][half * 2 + j % 2]);
          // The four lanes of a row
          most = Max(most, ShuffleXor(most, 1));
          most = Max(most, ShuffleXor(most, 2));
          const float factor = Exp2((highest[i][half] - most) * scale);
          highest[i][half] = most;
          float sum = weights[i][half] * factor;
          ZRANK_UNROLL
          for (int j = 0; j < kKeys / 4; ++j) {
            float& score = scores[i][j / 2][half * 2 + j % 2];
            score = Exp2(score * scale - most * scale);
            sum += score;
          }
          weights[i][half] = sum;
          ZRANK_UNROLL
          for (int j = 0; j < kDim / 4; ++j) values[i][j / 2][half * 2 + j % 2] *= factor;
        }
      }
    }

    // values += weights v
    ZRANK_DEVICE void AddValues(const float (&p)[kFragmentRows][kKeys / 8][4]) {
      constexpr int kLoads = 1;  // of 16 columns each, at once
      const int lane = Lane();
      // The four quarters of 16 keys x 16 columns, by columns
      const uint32_t value = kValueRows + lane % 16 * kStride + lane / 16 * sizeof(Chunk);
      ZRANK_UNROLL
      for (int depth = 0; depth < kKeys / 16; ++depth) {
        // Two blocks of 8 columns of a product are the 16 columns of a factor.
        uint32_t a[kFragmentRows][4];
        ZRANK_UNROLL
        for (int i = 0; i < kFragmentRows * 4; ++i) {
          const float (&block)[4] = p[i / 4][depth * 2 + i % 4 / 2];
          a[i / 4][i % 4] = T::Pack(block[i % 2 * 2], block[i % 2 * 2 + 1]);
        }
        ZRANK_UNROLL
        for (int column = 0; column < kDim / 16; column += kLoads) {
          uint32_t rows[kLoads], b[kLoads][4], columns[2 * kLoads][2];
          ZRANK_UNROLL
          for (int i = 0; i < kLoads; ++i) rows[i] = value + depth * 16 * kStride + (column + i) * 2 * sizeof(Chunk);
          LoadTransposed(b, rows);
          Split(columns, b);
          MultiplyAdd<T>(values, 2 * column, a, columns);
        }
      }
    }
  };

  // Through the warp's own rows of shared memory, whose queries nobody has read since the last barrier, so that
  // whole chunks are written.
  static ZRANK_DEVICE void Store(const AttentionArguments& a, const Part& part, Sums& sums, int warp) {
    const int lane = Lane(), first_row = warp * 16 * kFragmentRows;
    const uint32_t rows = kQueries + first_row * kStride;
    ZRANK_UNROLL
    for (int i = 0; i < kFragmentRows * 2; ++i) {
      float total = sums.weights[i / 2][i % 2];
      total += ShuffleXor(total, 1);
      total += ShuffleXor(total, 2);
      const float factor = Reciprocal(total);
      ZRANK_UNROLL
      for (int j = 0; j < kDim / 8; ++j) {
        const float (&block)[4] = sums.values[i / 2][j];
        WriteShared(rows + (i * 8 + lane / 4) * kStride + j * sizeof(Chunk) + lane % 4 * 4,
                    T::Pack(block[i % 2 * 2] * factor, block[i % 2 * 2 + 1] * factor));
      }
    }
    WarpBarrier();
    Chunk* const out = static_cast<Chunk*>(a.out);
    for (int i = lane; i < 16 * kFragmentRows * kRowChunks; i += 32) {
      const int row = i / kRowChunks, chunk = i % kRowChunks;
      if ((first_row + row) / part.group >= part.count) break;
      Write(out + RowOf(part, first_row + row, a.heads * kDim) + chunk,
            ReadSharedChunk(rows + row * kStride + chunk * sizeof(Chunk)));
    }
  }
};

}  // namespace zrank::cuda
