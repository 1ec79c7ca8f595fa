#pragma once

#include "kernels/cuda/head.h"

namespace zrank::cuda {

// Head::kLanes lanes take a head.
template <typename T, int kDim>
ZRANK_DEVICE void RotateHeads(const RotateHeadsArguments& a) {
  using Head = cuda::Head<T, kDim>;
  constexpr int kHalf = kDim / 2, kHeadChunks = kDim / kChunkElements;
  const int lane = Thread();
  const int64_t row = Block() * (kRotateHeadsThreads / Head::kLanes) + lane / Head::kLanes;
  const bool is_there = row < a.rows;
  const int64_t token = row / a.heads, position = is_there ? Read(a.positions + token) : 0;
  const int64_t at = token * (a.stride / kChunkElements) + row % a.heads * kHeadChunks;
  Head head = Head::Read(static_cast<const Chunk*>(a.x) + at, lane, is_there);
  head.Rotate(static_cast<const Chunk*>(a.norm), a.cos + position * kHalf, a.sin + position * kHalf, a.epsilon, lane);
  if (!is_there) return;
  Chunk* y = static_cast<Chunk*>(a.y) + row * kHeadChunks;
  ZRANK_UNROLL
  for (int pair = 0; pair < Head::kPairs; ++pair) {
    const int chunk = Head::ChunkOf(lane, pair);
    Write(y + chunk, head.low[pair]);
    Write(y + Head::kHalfChunks + chunk, head.high[pair]);
  }
}

}  // namespace zrank::cuda
