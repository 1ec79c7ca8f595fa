#pragma once

// What the kernels and those who launch them agree on: one structure of arguments a kernel, passed by value. Element
// types are fp16 or bf16 (`T` below), the kernel's name says which.

#include <cstdint>

namespace zrank::cuda {

// Rows of queries and output from `row` on are those of `count` successive positions of one sequence, the first of them
// at `position`. (int32 [4] in the graph's inputs `tiles` and `last_tiles`.)
struct Tile {
  int32_t row, count, sequence, position;
};

// Rows of a matrix may lie further apart than they are wide: a `stride` counts elements from one to the next, and with
// more than one row it is a multiple of kChunkElements.

// y = silu(scale gate) up, fp32 inside. y may be gate or up where their stride is `columns`.
struct GatedUnitsArguments {
  const void* gate;  // [rows, columns] in T, `stride` apart
  const void* up;    // the same
  void* y;           // [rows, columns] in T
  int64_t rows, columns, stride;
  float scale;
};

// RMSNorm of each head (where there is a norm) and its rotation, fp32 inside, rounded once. y may be x where that has
// no gaps.
struct RotateHeadsArguments {
  const void* x;             // [tokens, heads * head_dim] in T, `stride` apart
  const void* norm;          // [head_dim] in T, or null
  const float* cos;          // [positions, head_dim / 2]
  const float* sin;          // the same
  const int32_t* positions;  // [tokens]
  void* y;                   // [tokens, heads * head_dim] in T
  int64_t rows;              // tokens * heads
  int64_t stride;
  int32_t heads;
  float epsilon;
};

// Causal attention of a packed batch (core/pack.h): keys and values are there once for each unique token, and a
// sequence finds its own by its line of `expand`. Queries are normed (where there is a norm) and rotated here, keys
// come so.
struct AttentionArguments {
  const void* q;          // [rows, heads * head_dim] in T, q_stride apart
  const void* k;          // [tokens, key_value_heads * head_dim] in T
  const void* v;          // the same, v_stride apart
  const void* q_norm;     // [head_dim] in T, or null
  const float* cos;       // [positions, head_dim / 2]
  const float* sin;       // the same
  const int32_t* expand;  // [sequences, longest] token of each position; anything that is a token beyond the end
  const Tile* tiles;      // [tiles]; those that count nothing are passed over
  void* out;              // [rows, heads * head_dim] in T
  int32_t longest;
  int32_t q_stride, v_stride;
  int32_t heads, key_value_heads;
  float epsilon;
};

// Most positions of a tile. A block of threads takes the heads of one key/value head for as many of them as make
// kAttentionRows rows together.
inline constexpr int32_t kTilePositions = 128;
inline constexpr int32_t kAttentionRows = 128;
static_assert(kTilePositions <= kAttentionRows);

// Parts that a tile falls into, where `group` query heads share a key/value head.
constexpr int32_t PartsOfTile(int32_t group) {
  const int32_t positions = kAttentionRows / group;
  return (kTilePositions + positions - 1) / positions;
}

inline constexpr int kGatedUnitsThreads = 256, kRotateHeadsThreads = 128, kAttentionThreads = 128;

// Elements of 16 bytes, the most that a thread reads at once.
inline constexpr int kChunkElements = 8;

// Blocks of threads that a row of gated units falls into.
constexpr int64_t PartsOfRow(int64_t columns) {
  constexpr int64_t kPart = kGatedUnitsThreads * kChunkElements;
  return (columns + kPart - 1) / kPart;
}

// Lanes that share the rotation of a head: a power of two that divides the chunks of its half.
constexpr int LanesOfHead(int head_dim) {
  const int chunks = head_dim / 2 / kChunkElements;
  return chunks & -chunks;
}

// Keys of a step of attention, whose rows lie in shared memory beside the queries, a chunk between rows.
inline constexpr int kAttentionKeys = 64;
constexpr uint32_t AttentionSharedBytes(int head_dim) {
  const uint32_t row = (head_dim / kChunkElements + 1) * 16;
  return (kAttentionRows + 2 * kAttentionKeys) * row + 2 * kAttentionKeys * sizeof(int32_t);
}

}  // namespace zrank::cuda
