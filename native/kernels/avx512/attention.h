#pragma once

// Attention on the multiplication's tiles, block of keys by block of keys with a running maximum and sum, after Dao et
// al., "FlashAttention" (2022). A block of keys and values, packed, stays in L2 while all queries of the task pass. For
// translation units compiled for AVX-512 alone; see registers.h.

#include "kernels/attention.h"
#include "kernels/avx512/gemm.h"

namespace zrank::avx512 {
namespace {

constexpr int64_t kKeyBlock = kSliceSteps;
constexpr int64_t kMaxTaskRows = 1032;  // query rows that share the packed keys of a task

// Scratch memory of a task, in this order.
struct AttentionWorkspace {
  uint32_t* keys;    // panels of 32 keys: [kKeyBlock / 32][head_dim steps][32]
  uint32_t* values;  // panels of 32 columns: [head_dim / 32][kKeyBlock steps][32]
  float* sums;       // [kMaxTaskRows, head_dim], not yet divided
  float* maximum;    // [kMaxTaskRows] of the scores so far
  float* total;      // [kMaxTaskRows] of exp(score - maximum)
  float* scores;     // [kTileRows, kRowSteps]
  uint32_t* packed;  // [kTileRows, kRowSteps] queries, then weights
  float* rows;       // [kLanes, head_dim]

  static size_t Bytes(int64_t head_dim) {
    return 4 * static_cast<size_t>(2 * kKeyBlock * head_dim + kMaxTaskRows * (head_dim + 2) +
                                   2 * kTileRows * kRowSteps + kLanes * head_dim);
  }
  AttentionWorkspace(void* memory, int64_t head_dim) {
    keys = static_cast<uint32_t*>(memory);
    values = keys + kKeyBlock * head_dim;
    sums = reinterpret_cast<float*>(values + kKeyBlock * head_dim);
    scores = sums + kMaxTaskRows * head_dim;
    packed = reinterpret_cast<uint32_t*>(scores + kTileRows * kRowSteps);
    rows = reinterpret_cast<float*>(packed + kTileRows * kRowSteps);
    maximum = rows + kLanes * head_dim;
    total = maximum + kMaxTaskRows;
  }
};

// RMSNorm of a head, unless `norm` is null, rotated to `position` and scaled. The rotation pairs element i with
// i + head_dim / 2, as Hugging Face does.
inline void NormAndRotate(const Attention& attention, const float* x, const float* norm, int64_t position, float scale,
                          float* out) {
  const int64_t half = attention.head_dim / 2;
  if (norm != nullptr) {
    __m512 squares = _mm512_setzero_ps();
    for (int64_t i = 0; i < attention.head_dim; i += kLanes) {
      const __m512 value = _mm512_loadu_ps(x + i);
      squares = _mm512_fmadd_ps(value, value, squares);
    }
    const float mean = _mm512_reduce_add_ps(squares) / static_cast<float>(attention.head_dim);
    scale /= __builtin_sqrtf(mean + attention.epsilon);
  }
  const __m512 factor = _mm512_set1_ps(scale);
  const float* cos = attention.cos + position * half;
  const float* sin = attention.sin + position * half;
  for (int64_t i = 0; i < half; i += kLanes) {
    const __m512 c = _mm512_loadu_ps(cos + i), s = _mm512_loadu_ps(sin + i);
    __m512 a = _mm512_mul_ps(_mm512_loadu_ps(x + i), factor);
    __m512 b = _mm512_mul_ps(_mm512_loadu_ps(x + half + i), factor);
    if (norm != nullptr) {
      a = _mm512_mul_ps(a, _mm512_loadu_ps(norm + i));
      b = _mm512_mul_ps(b, _mm512_loadu_ps(norm + half + i));
    }
    _mm512_storeu_ps(out + i, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
    _mm512_storeu_ps(out + half + i, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
  }
}

template <typename Math>
void PackKeysAndValues(const Attention& attention, const AttentionTask& task, int64_t start, int64_t count,
                       AttentionWorkspace& space) {
  const int64_t dim = attention.head_dim, stride = attention.key_value_heads * dim;
  const int32_t* tokens = attention.expand + task.sequence * attention.longest + start;
  const int64_t offset = task.key_value_head * dim;
  for (int64_t key = 0; key < count; key += kLanes) {
    const int64_t some = Min(kLanes, count - key);
    for (int64_t i = 0; i < some; ++i) {
      NormAndRotate(attention, attention.k + tokens[key + i] * stride + offset, attention.k_norm, start + key + i, 1.0f,
                    space.rows + i * dim);
    }
    uint32_t* panel = space.keys + key / kTileColumns * kTileColumns * (dim / Math::kDepth);
    Math::PackColumns({Stored::kFp32, reinterpret_cast<const char*>(space.rows), dim, nullptr, some}, dim,
                      panel + key % kTileColumns);
  }
  for (int64_t key = 0; key < count; key += Math::kDepth) {
    const float* rows[2] = {attention.v + tokens[key] * stride + offset, nullptr};
    if (key + 1 < count) rows[1] = attention.v + tokens[key + 1] * stride + offset;
    for (int64_t column = 0; column < dim; column += kLanes) {
      uint32_t* out = space.values + column / kTileColumns * kTileColumns * kKeyBlock +
                      key / Math::kDepth * kTileColumns + column % kTileColumns;
      Math::PackStep(rows[0] + column, rows[1] == nullptr ? nullptr : rows[1] + column, out);
    }
  }
}

// Turns a row's scores into exp(score - maximum), and returns what earlier sums are to be multiplied by. Keys beyond
// `visible` get the weight 0.
inline float Weigh(float* scores, int64_t visible, int64_t count, float& maximum, float& total) {
  __m512 most = _mm512_set1_ps(maximum);
  for (int64_t i = 0; i < visible; i += kLanes) {
    most = _mm512_mask_max_ps(most, FirstLanes(visible - i), most, _mm512_loadu_ps(scores + i));
  }
  const float previous = maximum;
  maximum = _mm512_reduce_max_ps(most);
  const __m512 highest = _mm512_set1_ps(maximum);
  __m512 sum = _mm512_setzero_ps();
  for (int64_t i = 0; i < count; i += kLanes) {
    const __m512 weight =
        _mm512_maskz_mov_ps(FirstLanes(visible - i), Exp(_mm512_sub_ps(_mm512_loadu_ps(scores + i), highest)));
    sum = _mm512_add_ps(sum, weight);
    _mm512_storeu_ps(scores + i, weight);
  }
  const float factor = _mm512_cvtss_f32(Exp(_mm512_set1_ps(previous - maximum)));
  total = total * factor + _mm512_reduce_add_ps(sum);
  return factor;
}

template <typename Math>
void Attend(const Attention& attention, const AttentionTask& task, void* memory) {
  const int64_t dim = attention.head_dim, group = attention.heads / attention.key_value_heads;
  AttentionWorkspace space(memory, dim);
  // Rows of the task's tiles: the query heads of a position one after the other.
  const int64_t rows = task.count * group, tiles = CeilDiv(rows, kTileRows);
  const int64_t width = attention.heads * dim;
  const int32_t* tokens = attention.expand + task.sequence * attention.longest;
  const auto offset = [&](int64_t row) { return (task.key_value_head * group + row % group) * dim; };
  const auto position = [&](int64_t row) { return task.position + row / group; };
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(dim));
  for (int64_t row = 0; row < rows; ++row) {
    space.maximum[row] = -__builtin_inff();
    space.total[row] = 0;
  }

  const int64_t end = task.position + task.count;
  for (int64_t start = 0; start < end; start += kKeyBlock) {
    PackKeysAndValues<Math>(attention, task, start, Min(kKeyBlock, end - start), space);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t top = rows * tile / tiles, bottom = rows * (tile + 1) / tiles;
      const int64_t keys = Min(kKeyBlock, position(bottom - 1) + 1 - start);  // that the tile's last row sees
      if (keys <= 0) continue;
      for (int64_t row = top; row < bottom; ++row) {
        NormAndRotate(attention, attention.q + tokens[position(row)] * width + offset(row), attention.q_norm,
                      position(row), scale, space.rows);
        Math::PackRow(space.rows, dim, space.packed + (row - top) * kRowSteps);
      }
      const auto compute = kTiles<Math>[bottom - top];
      for (int64_t key = 0; key < keys; key += kTileColumns) {
        const Destination to{space.scores + key, kRowSteps, {0xffff, 0xffff}, nullptr};
        compute(space.packed, space.keys + key * (dim / Math::kDepth), dim / Math::kDepth, Finish::kStore, to);
      }
      for (int64_t row = top; row < bottom; ++row) {
        float* scores = space.scores + (row - top) * kRowSteps;
        const int64_t visible = Min(keys, position(row) + 1 - start);
        const float factor = Weigh(scores, visible, keys, space.maximum[row], space.total[row]);
        Math::PackRow(scores, keys, space.packed + (row - top) * kRowSteps);
        if (start == 0 || factor == 1.0f) continue;
        for (int64_t i = 0; i < dim; i += kLanes) {
          float* sums = space.sums + row * dim + i;
          _mm512_storeu_ps(sums, _mm512_mul_ps(_mm512_loadu_ps(sums), _mm512_set1_ps(factor)));
        }
      }
      const int64_t steps = CeilDiv(keys, Math::kDepth);
      for (int64_t column = 0; column < dim; column += kTileColumns) {
        const Destination to{space.sums + top * dim + column, dim, {0xffff, 0xffff}, nullptr};
        compute(space.packed, space.values + column * kKeyBlock, steps, start == 0 ? Finish::kStore : Finish::kAdd, to);
      }
    }
  }
  for (int64_t row = 0; row < rows; ++row) {
    const __m512 factor = _mm512_set1_ps(1.0f / space.total[row]);
    float* out = attention.out + (task.row + row / group) * width + offset(row);
    for (int64_t i = 0; i < dim; i += kLanes)
      _mm512_storeu_ps(out + i, _mm512_mul_ps(_mm512_loadu_ps(space.sums + row * dim + i), factor));
  }
}

template <typename Math>
constexpr AttentionKernel kAttention{
    .max_task_rows = kMaxTaskRows,
    .workspace_bytes = AttentionWorkspace::Bytes,
    .run = Attend<Math>,
};

}  // namespace
}  // namespace zrank::avx512
