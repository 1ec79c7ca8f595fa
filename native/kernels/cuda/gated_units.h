#pragma once

#include "kernels/cuda/arguments.h"
#include "kernels/cuda/machine.h"

namespace zrank::cuda {

ZRANK_DEVICE float Gated(float gate, float up, float scale) {
  constexpr float kLog2E = 1.4426950408889634f;
  const float x = scale * gate;
  return x * Reciprocal(1.0f + Exp2(x * -kLog2E)) * up;
}

// The parts of a row follow each other. A thread takes a chunk; of a last one that is not full, element by element.
template <typename T>
ZRANK_DEVICE void GatedUnits(const GatedUnitsArguments& a) {
  const int64_t parts = PartsOfRow(a.columns), row = Block() / parts;
  const int64_t start = (Block() % parts * kGatedUnitsThreads + Thread()) * kChunkElements;
  const uint16_t* const gates = static_cast<const uint16_t*>(a.gate) + row * a.stride;
  const uint16_t* const ups = static_cast<const uint16_t*>(a.up) + row * a.stride;
  uint16_t* const units = static_cast<uint16_t*>(a.y) + row * a.columns;
  if (start + kChunkElements <= a.columns) {
    const Chunk gate = Read(reinterpret_cast<const Chunk*>(gates + start));
    const Chunk up = Read(reinterpret_cast<const Chunk*>(ups + start));
    Chunk y;
    ZRANK_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Pair g = T::Unpack(gate.words[i]), u = T::Unpack(up.words[i]);
      y.words[i] = T::Pack(Gated(g.lo, u.lo, a.scale), Gated(g.hi, u.hi, a.scale));
    }
    Write(reinterpret_cast<Chunk*>(units + start), y);
    return;
  }
  for (int64_t i = start; i < a.columns; ++i) {
    const float gate = T::Unpack(Read(gates + i)).lo, up = T::Unpack(Read(ups + i)).lo;
    Write(units + i, static_cast<uint16_t>(T::Pack(Gated(gate, up, a.scale), 0.0f)));
  }
}

}  // namespace zrank::cuda
