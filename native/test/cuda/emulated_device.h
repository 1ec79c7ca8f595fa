#pragma once

// kernels/cuda/device.h for the CPU: the same names, on test/cuda/emulator.h.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "test/cuda/emulator.h"
#include "test/cuda/sixteen_bits.h"

#define ZRANK_DEVICE inline
#define ZRANK_UNROLL
#define ZRANK_UNROLL_BY_4

namespace zrank::cuda {

struct alignas(16) Chunk {
  uint32_t words[4];
};
struct Pair {
  float lo, hi;
};

template <uint16_t (*kNarrow)(float), float (*kWiden)(uint16_t)>
struct SixteenBits {
  static Pair Unpack(uint32_t word) {
    return {kWiden(static_cast<uint16_t>(word & 0xffff)), kWiden(static_cast<uint16_t>(word >> 16))};
  }
  static uint32_t Pack(float lo, float hi) { return kNarrow(lo) | static_cast<uint32_t>(kNarrow(hi)) << 16; }
};
using Fp16 = SixteenBits<emulation::HalfFromFloat, emulation::FloatFromHalf>;
using Bf16 = SixteenBits<emulation::BrainFromFloat, emulation::FloatFromBrain>;

using emulation::Barrier;
using emulation::Block;
using emulation::Thread;
using emulation::WaitForCopies;
using emulation::WarpBarrier;

template <typename Value>
Value Read(const Value* address) {
  emulation::CheckGlobal(address, sizeof(Value), alignof(Value), false);
  return *address;
}
template <typename Value>
void Write(Value* address, Value value) {
  emulation::CheckGlobal(address, sizeof(Value), alignof(Value), true);
  *address = value;
}

template <typename Value>
Value ReadShared(uint32_t offset) {
  Value value;
  std::memcpy(&value, emulation::Shared(offset, sizeof(Value), false), sizeof(Value));
  return value;
}
inline int32_t ReadSharedIndex(uint32_t offset) { return ReadShared<int32_t>(offset); }
inline Chunk ReadSharedChunk(uint32_t offset) { return ReadShared<Chunk>(offset); }
template <typename Value>
void WriteShared(uint32_t offset, const Value& value) {
  std::memcpy(emulation::Shared(offset, sizeof(Value), true), &value, sizeof(Value));
}

template <typename Value>
void CopyAsync(uint32_t offset, const Value* from, bool is_wanted) {
  if (is_wanted) emulation::CheckGlobal(from, sizeof(Value), sizeof(Value), false);
  emulation::CopyAsync(offset, is_wanted ? from : nullptr, sizeof(Value));
}

inline float ShuffleXor(float value, int mask) {
  float values[2] = {value, 0};
  emulation::Together(mask == 1   ? "ShuffleXor 1"
                      : mask == 2 ? "ShuffleXor 2"
                                  : "ShuffleXor",
                      values, [mask](emulation::Lanes lanes) {
                        for (int lane = 0; lane < 32; ++lane)
                          static_cast<float*>(lanes[lane])[1] = static_cast<float*>(lanes[lane ^ mask])[0];
                      });
  return values[1];
}

template <bool kIsTransposed, int kCount>
void Load(const char* what, uint32_t (&fragments)[kCount][4], const uint32_t (&offsets)[kCount]) {
  struct Brought {
    uint32_t (*fragments)[4];
    const uint32_t* offsets;
  } brought{fragments, offsets};
  emulation::Together(what, &brought, [](emulation::Lanes lanes) {
    for (int i = 0; i < kCount; ++i) {
      for (int matrix = 0; matrix < 4; ++matrix) {
        uint16_t elements[8][8];
        for (int row = 0; row < 8; ++row) {
          const int lane = matrix * 8 + row;
          const uint32_t offset = static_cast<Brought*>(lanes[lane])->offsets[i];
          std::memcpy(elements[row], emulation::SharedOf(lane, offset, 16), 16);
        }
        for (int lane = 0; lane < 32; ++lane) {
          const int row = lane / 4, column = lane % 4 * 2;
          const auto at = [&](int c) { return kIsTransposed ? elements[c][row] : elements[row][c]; };
          static_cast<Brought*>(lanes[lane])->fragments[i][matrix] = at(column) | static_cast<uint32_t>(at(column + 1))
                                                                                      << 16;
        }
      }
    }
  });
}
template <int kCount>
void LoadMatrices(uint32_t (&fragments)[kCount][4], const uint32_t (&offsets)[kCount]) {
  Load<false>("LoadMatrices", fragments, offsets);
}
template <int kCount>
void LoadTransposed(uint32_t (&fragments)[kCount][4], const uint32_t (&offsets)[kCount]) {
  Load<true>("LoadTransposed", fragments, offsets);
}

// The fragments as "Matrix Fragments for mma.m16n8k16" of the PTX ISA has them.
template <typename T, int kRows, int kAll, int kColumns>
void MultiplyAdd(float (&c)[kRows][kAll][4], int first, const uint32_t (&a)[kRows][4],
                 const uint32_t (&b)[kColumns][2]) {
  struct Brought {
    float (*c)[kAll][4];
    int first;
    const uint32_t (*a)[4];
    const uint32_t (*b)[2];
  } brought{c, first, a, b};
  emulation::Together("MultiplyAdd", &brought, [](emulation::Lanes lanes) {
    const auto of = [&](int lane) { return static_cast<Brought*>(lanes[lane]); };
    static float rows[kRows][16][16], columns[kColumns][8][16];
    for (int lane = 0; lane < 32; ++lane) {
      const int group = lane / 4, pair = lane % 4 * 2;
      for (int i = 0; i < kRows; ++i) {
        for (int part = 0; part < 4; ++part) {
          const Pair values = T::Unpack(of(lane)->a[i][part]);
          float* at = &rows[i][group + part % 2 * 8][pair + part / 2 * 8];
          at[0] = values.lo, at[1] = values.hi;
        }
      }
      for (int j = 0; j < kColumns; ++j) {
        for (int part = 0; part < 2; ++part) {
          const Pair values = T::Unpack(of(lane)->b[j][part]);
          float* at = &columns[j][group][pair + part * 8];
          at[0] = values.lo, at[1] = values.hi;
        }
      }
    }
    for (int lane = 0; lane < 32; ++lane) {
      for (int i = 0; i < kRows; ++i) {
        for (int j = 0; j < kColumns; ++j) {
          for (int part = 0; part < 4; ++part) {
            const float* row = rows[i][lane / 4 + part / 2 * 8];
            const float* column = columns[j][lane % 4 * 2 + part % 2];
            float sum = 0;
            for (int k = 0; k < 16; ++k) sum += row[k] * column[k];
            of(lane)->c[i][of(lane)->first + j][part] += sum;
          }
        }
      }
    }
  });
}

inline float Float(uint32_t bits) { return std::bit_cast<float>(bits); }
inline float Exp2(float x) { return std::exp2(x); }
inline float Reciprocal(float x) { return 1.0f / x; }
inline float ReciprocalRoot(float x) { return 1.0f / std::sqrt(x); }
inline float Max(float a, float b) { return std::fmax(a, b); }

}  // namespace zrank::cuda
