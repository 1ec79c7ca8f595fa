#pragma once

#include "kernels/cuda/arguments.h"
#include "kernels/cuda/machine.h"

namespace zrank::cuda {

// A head of queries or keys in the registers of kLanes lanes: element i is rotated with i + kDim / 2, so a lane holds
// chunks of both halves.
template <typename T, int kDim>
struct Head {
  static constexpr int kHalfChunks = kDim / 2 / kChunkElements;
  static constexpr int kLanes = LanesOfHead(kDim);
  static constexpr int kPairs = kHalfChunks / kLanes;
  static_assert(kDim % (2 * kChunkElements) == 0 && kLanes <= 32);

  Chunk low[kPairs], high[kPairs];

  // The chunk of the first half that is the lane's `pair`-th.
  static ZRANK_DEVICE int ChunkOf(int lane, int pair) { return pair * kLanes + lane % kLanes; }

  // Reads nothing where `is_there` is false, and gives zeros; all lanes of the warp have to come here.
  static ZRANK_DEVICE Head Read(const Chunk* head, int lane, bool is_there) {
    Head read;
    ZRANK_UNROLL
    for (int pair = 0; pair < kPairs; ++pair) {
      const int chunk = ChunkOf(lane, pair);
      read.low[pair] = is_there ? cuda::Read(head + chunk) : Chunk{};
      read.high[pair] = is_there ? cuda::Read(head + kHalfChunks + chunk) : Chunk{};
    }
    return read;
  }

  // RMSNorm, unless `norm` is null, and the rotation by cos and sin [kDim / 2]; one rounding.
  ZRANK_DEVICE void Rotate(const Chunk* norm, const float* cos, const float* sin, float epsilon, int lane) {
    float factor = 1.0f;
    if (norm != nullptr) {
      float squares = 0.0f;
      ZRANK_UNROLL
      for (int pair = 0; pair < kPairs; ++pair) {
        ZRANK_UNROLL
        for (int i = 0; i < 4; ++i) {
          const Pair a = T::Unpack(low[pair].words[i]), b = T::Unpack(high[pair].words[i]);
          squares += a.lo * a.lo + a.hi * a.hi + b.lo * b.lo + b.hi * b.hi;
        }
      }
      ZRANK_UNROLL
      for (int mask = kLanes / 2; mask > 0; mask /= 2) squares += ShuffleXor(squares, mask);
      factor = ReciprocalRoot(squares * (1.0f / kDim) + epsilon);
    }
    ZRANK_UNROLL
    for (int pair = 0; pair < kPairs; ++pair) {
      const int chunk = ChunkOf(lane, pair);
      Chunk low_norm, high_norm;
      if (norm != nullptr) {
        low_norm = cuda::Read(norm + chunk);
        high_norm = cuda::Read(norm + kHalfChunks + chunk);
      }
      ZRANK_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int at = chunk * kChunkElements + half * 4;
        const Chunk c = cuda::Read(reinterpret_cast<const Chunk*>(cos + at));
        const Chunk s = cuda::Read(reinterpret_cast<const Chunk*>(sin + at));
        ZRANK_UNROLL
        for (int i = 0; i < 2; ++i) {
          const int word = half * 2 + i;
          Pair a = T::Unpack(low[pair].words[word]), b = T::Unpack(high[pair].words[word]);
          if (norm != nullptr) {
            const Pair wa = T::Unpack(low_norm.words[word]), wb = T::Unpack(high_norm.words[word]);
            a = {a.lo * factor * wa.lo, a.hi * factor * wa.hi};
            b = {b.lo * factor * wb.lo, b.hi * factor * wb.hi};
          }
          const Pair cosine = {Float(c.words[2 * i]), Float(c.words[2 * i + 1])};
          const Pair sine = {Float(s.words[2 * i]), Float(s.words[2 * i + 1])};
          low[pair].words[word] = T::Pack(a.lo * cosine.lo - b.lo * sine.lo, a.hi * cosine.hi - b.hi * sine.hi);
          high[pair].words[word] = T::Pack(b.lo * cosine.lo + a.lo * sine.lo, b.hi * cosine.hi + a.hi * sine.hi);
        }
      }
    }
  }
};

}  // namespace zrank::cuda
