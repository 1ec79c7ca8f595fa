#pragma once

#include "kernels/cuda/arguments.h"
#include "kernels/cuda/machine.h"

namespace zrank::cuda {

ZRANK_DEVICE float Gated(float gate, float up, float scale) {
  constexpr float kLog2E = 1.4426950408889634f;
  return gate * Reciprocal(1.0f + Exp2(gate * -kLog2E)) * up * scale;
}

// A thread takes a chunk; of a last one that is not full, element by element.
template <typename T>
ZRANK_DEVICE void GatedUnits(const GatedUnitsArguments& a) {
  const int64_t chunk = Block() * kGatedUnitsThreads + Thread();
  const int64_t start = chunk * kChunkElements;
  if (start + kChunkElements <= a.count) {
    const Chunk gate = Read(static_cast<const Chunk*>(a.gate) + chunk);
    const Chunk up = Read(static_cast<const Chunk*>(a.up) + chunk);
    Chunk y;
    ZRANK_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Pair g = T::Unpack(gate.words[i]), u = T::Unpack(up.words[i]);
      y.words[i] = T::Pack(Gated(g.lo, u.lo, a.scale), Gated(g.hi, u.hi, a.scale));
    }
    Write(static_cast<Chunk*>(a.y) + chunk, y);
    return;
  }
  for (int64_t i = start; i < a.count; ++i) {
    const float gate = T::Unpack(Read(static_cast<const uint16_t*>(a.gate) + i)).lo;
    const float up = T::Unpack(Read(static_cast<const uint16_t*>(a.up) + i)).lo;
    Write(static_cast<uint16_t*>(a.y) + i, static_cast<uint16_t>(T::Pack(Gated(gate, up, a.scale), 0.0f)));
  }
}

}  // namespace zrank::cuda
