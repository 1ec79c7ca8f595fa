#pragma once

// Attention on the multiplication's tiles, block of keys by block of keys with a running maximum and sum, after Dao et
// al., "FlashAttention" (2022). A block of keys and values, packed, stays in L2 while all queries of the task pass.
// What it asks of an arithmetic beside gemm.h:
//   PackStep(row, next, out)   one step of a register's columns, from its rows of the depth, null where there are none

#include "kernels/attention.h"
#include "kernels/tiled/gemm.h"

namespace zrank {
namespace {

// Scratch memory of a task, in this order.
template <typename Math>
struct AttentionWorkspace {
  static constexpr int64_t kKeyBlock = Math::kSliceSteps;
  static constexpr int64_t kMaxTaskRows = Math::kBlockRows;  // query rows that share the packed keys of a task

  uint32_t* keys;    // panels of a tile's columns: [kKeyBlock / kTileColumns][head_dim steps][kTileColumns]
  uint32_t* values;  // the same: [head_dim / kTileColumns][kKeyBlock steps][kTileColumns]
  float* sums;       // [kMaxTaskRows, head_dim], not yet divided
  float* maximum;    // [kMaxTaskRows] of the scores so far
  float* total;      // [kMaxTaskRows] of exp(score - maximum)
  float* scores;     // [kTileRows, kRowSteps]
  uint32_t* packed;  // [kTileRows, kRowSteps] queries, then weights
  float* rows;       // [kLanes, head_dim]

  static size_t Bytes(int64_t head_dim) {
    return 4 * static_cast<size_t>(2 * kKeyBlock * head_dim + kMaxTaskRows * (head_dim + 2) +
                                   2 * Math::kTileRows * Math::kRowSteps + Math::kLanes * head_dim);
  }
  AttentionWorkspace(void* memory, int64_t head_dim) {
    keys = static_cast<uint32_t*>(memory);
    values = keys + kKeyBlock * head_dim;
    sums = reinterpret_cast<float*>(values + kKeyBlock * head_dim);
    scores = sums + kMaxTaskRows * head_dim;
    packed = reinterpret_cast<uint32_t*>(scores + Math::kTileRows * Math::kRowSteps);
    rows = reinterpret_cast<float*>(packed + Math::kTileRows * Math::kRowSteps);
    maximum = rows + Math::kLanes * head_dim;
    total = maximum + kMaxTaskRows;
  }
};

// RMSNorm of a head, unless `norm` is null, rotated to `position` and scaled. The rotation pairs element i with
// i + head_dim / 2, as Hugging Face does.
template <typename Math>
void NormAndRotate(const Attention& attention, const float* x, const float* norm, int64_t position, float scale,
                   float* out) {
  const int64_t half = attention.head_dim / 2;
  if (norm != nullptr) {
    typename Math::Floats squares{};
    for (int64_t i = 0; i < attention.head_dim; i += Math::kLanes) {
      const auto value = Math::Load(x + i);
      squares = Math::MultiplyAdd(value, value, squares);
    }
    const float mean = Math::Sum(squares) / static_cast<float>(attention.head_dim);
    scale /= __builtin_sqrtf(mean + attention.epsilon);
  }
  const auto factor = Math::Broadcast(scale);
  const float* cos = attention.cos + position * half;
  const float* sin = attention.sin + position * half;
  for (int64_t i = 0; i < half; i += Math::kLanes) {
    const auto c = Math::Load(cos + i), s = Math::Load(sin + i);
    auto a = Math::Load(x + i) * factor, b = Math::Load(x + half + i) * factor;
    if (norm != nullptr) {
      a *= Math::Load(norm + i);
      b *= Math::Load(norm + half + i);
    }
    Math::Store(out + i, Math::MultiplyAdd(a, c, -(b * s)));
    Math::Store(out + half + i, Math::MultiplyAdd(b, c, a * s));
  }
}

template <typename Math>
void PackKeysAndValues(const Attention& attention, const AttentionTask& task, int64_t start, int64_t count,
                       AttentionWorkspace<Math>& space) {
  const int64_t dim = attention.head_dim, stride = attention.key_value_heads * dim;
  const int32_t* tokens = attention.expand + task.sequence * attention.longest + start;
  const int64_t offset = task.key_value_head * dim;
  for (int64_t key = 0; key < count; key += Math::kLanes) {
    const int64_t some = Min(Math::kLanes, count - key);
    for (int64_t i = 0; i < some; ++i) {
      NormAndRotate<Math>(attention, attention.k + tokens[key + i] * stride + offset, attention.k_norm, start + key + i,
                          1.0f, space.rows + i * dim);
    }
    uint32_t* panel = space.keys + key / Math::kTileColumns * Math::kTileColumns * (dim / Math::kDepth);
    Math::PackColumns({Stored::kFp32, reinterpret_cast<const char*>(space.rows), dim, nullptr, some}, dim,
                      panel + key % Math::kTileColumns);
  }
  const int64_t filled = RoundUp(count, Math::kDepth * Math::kSummedSteps);
  for (int64_t key = 0; key < filled; key += Math::kDepth) {
    const float* rows[2] = {nullptr, nullptr};
    if (key < count) rows[0] = attention.v + tokens[key] * stride + offset;
    if (key + 1 < count) rows[1] = attention.v + tokens[key + 1] * stride + offset;
    for (int64_t column = 0; column < dim; column += Math::kLanes) {
      uint32_t* out = space.values + column / Math::kTileColumns * Math::kTileColumns * space.kKeyBlock +
                      key / Math::kDepth * Math::kTileColumns + column % Math::kTileColumns;
      Math::PackStep(rows[0] == nullptr ? nullptr : rows[0] + column, rows[1] == nullptr ? nullptr : rows[1] + column,
                     out);
    }
  }
}

// Turns a row's scores into exp(score - maximum), and returns what earlier sums are to be multiplied by. Keys beyond
// `visible` get the weight 0.
template <typename Math>
float Weigh(float* scores, int64_t visible, int64_t count, float& maximum, float& total) {
  auto most = Math::Broadcast(maximum);
  for (int64_t i = 0; i < visible; i += Math::kLanes)
    most = Math::Max(most, Math::First(Math::Load(scores + i), visible - i, most));
  const float previous = maximum;
  maximum = Math::Largest(most);
  const auto highest = Math::Broadcast(maximum);
  typename Math::Floats sum{}, none{};
  for (int64_t i = 0; i < count; i += Math::kLanes) {
    const auto weight = Math::First(Exp<Math>(Math::Load(scores + i) - highest), visible - i, none);
    sum += weight;
    Math::Store(scores + i, weight);
  }
  const auto factors = Exp<Math>(Math::Broadcast(previous - maximum));
  const float factor = factors[0];
  total = total * factor + Math::Sum(sum);
  return factor;
}

template <typename Math>
void Attend(const Attention& attention, const AttentionTask& task, void* memory) {
  const int64_t dim = attention.head_dim, group = attention.heads / attention.key_value_heads;
  AttentionWorkspace<Math> space(memory, dim);
  [[maybe_unused]] const typename Math::Session session;
  // Rows of the task's tiles: the query heads of a position one after the other.
  const int64_t rows = task.count * group, tiles = CeilDiv(rows, Math::kTileRows);
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
  for (int64_t start = 0; start < end; start += space.kKeyBlock) {
    PackKeysAndValues<Math>(attention, task, start, Min(space.kKeyBlock, end - start), space);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t top = rows * tile / tiles, bottom = rows * (tile + 1) / tiles;
      const int64_t keys = Min(space.kKeyBlock, position(bottom - 1) + 1 - start);  // that the tile's last row sees
      if (keys <= 0) continue;
      for (int64_t row = top; row < bottom; ++row) {
        NormAndRotate<Math>(attention, attention.q + tokens[position(row)] * width + offset(row), attention.q_norm,
                            position(row), scale, space.rows);
        Math::PackRow(space.rows, dim, space.packed + (row - top) * Math::kRowSteps);
      }
      const auto compute = TileOf<Math>(bottom - top);
      for (int64_t key = 0; key < keys; key += Math::kTileColumns) {
        const Destination to{space.scores + key, Math::kRowSteps, Math::kTileColumns, nullptr};
        compute(space.packed, space.keys + key * (dim / Math::kDepth), dim / Math::kDepth, Finish::kStore, to);
      }
      for (int64_t row = top; row < bottom; ++row) {
        float* scores = space.scores + (row - top) * Math::kRowSteps;
        const int64_t visible = Min(keys, position(row) + 1 - start);
        const float factor = Weigh<Math>(scores, visible, keys, space.maximum[row], space.total[row]);
        Math::PackRow(scores, keys, space.packed + (row - top) * Math::kRowSteps);
        if (start == 0 || factor == 1.0f) continue;
        for (int64_t i = 0; i < dim; i += Math::kLanes) {
          float* sums = space.sums + row * dim + i;
          Math::Store(sums, Math::Load(sums) * Math::Broadcast(factor));
        }
      }
      const int64_t steps = CeilDiv(keys, Math::kDepth);
      for (int64_t column = 0; column < dim; column += Math::kTileColumns) {
        const Destination to{space.sums + top * dim + column, dim, Math::kTileColumns, nullptr};
        compute(space.packed, space.values + column * space.kKeyBlock, steps,
                start == 0 ? Finish::kStore : Finish::kAdd, to);
      }
    }
  }
  for (int64_t row = 0; row < rows; ++row) {
    const auto factor = Math::Broadcast(1.0f / space.total[row]);
    float* out = attention.out + (task.row + row / group) * width + offset(row);
    for (int64_t i = 0; i < dim; i += Math::kLanes)
      Math::Store(out + i, Math::Load(space.sums + row * dim + i) * factor);
  }
}

template <typename Math>
constexpr AttentionKernel kAttention{
    .max_task_rows = AttentionWorkspace<Math>::kMaxTaskRows,
    .workspace_bytes = AttentionWorkspace<Math>::Bytes,
    .run = Attend<Math>,
};

}  // namespace
}  // namespace zrank
