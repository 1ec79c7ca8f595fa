#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm.h"

namespace zrank {

// Causal attention of a packed batch (core/pack.h): queries, keys and values are there once for each unique token, and
// each sequence finds its own through `expand`. Norms (where there are any) and rotation of queries and keys are part
// of it.
struct Attention {
  const float* q;         // [T, heads * head_dim]
  const float* k;         // [T, key_value_heads * head_dim]
  const float* v;         // the same
  const float* q_norm;    // [head_dim], RMSNorm of each head; or null
  const float* k_norm;    // the same
  const float* cos;       // [S, head_dim / 2]
  const float* sin;       // the same
  const int32_t* expand;  // [B, S] token of each position of each sequence
  float* out;             // [rows, heads * head_dim]
  int64_t longest;        // S
  int64_t heads, key_value_heads;
  int64_t head_dim;  // a multiple of kHeadDimMultiple
  float epsilon;
};

// Rows of `out` from `row` on are those of `count` successive positions of one sequence; one key/value head's part of
// them.
struct AttentionTask {
  int64_t row, count;
  int64_t sequence, position;
  int64_t key_value_head;
};

struct AttentionKernel {
  int64_t max_task_rows;  // most positions of a task, times the query heads that share a key/value head
  size_t (*workspace_bytes)(int64_t head_dim);  // aligned to kGemmAlignment
  void (*run)(const Attention& attention, const AttentionTask& task, void* workspace);
};

}  // namespace zrank
