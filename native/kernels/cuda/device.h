#pragma once

// The GPU as the kernels see it: a block of threads in one dimension, shared memory by offsets in bytes, the
// instructions they need. native/test/cuda/emulated_device.h is the same for the CPU.

#include <cstdint>

#define ZRANK_DEVICE __device__ __forceinline__
#define ZRANK_UNROLL _Pragma("unroll")
#define ZRANK_UNROLL_BY_4 _Pragma("unroll 4")

namespace zrank::cuda {

struct alignas(16) Chunk {
  uint32_t words[4];
};
struct Pair {
  float lo, hi;
};

// The 16-bit types: two elements in a word, and what multiplies them.
struct Fp16 {
  static ZRANK_DEVICE Pair Unpack(uint32_t word) {
    Pair pair;
    asm("{.reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h;}"
        : "=f"(pair.lo), "=f"(pair.hi)
        : "r"(word));
    return pair;
  }
  static ZRANK_DEVICE uint32_t Pack(float lo, float hi) {
    uint32_t word;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(hi), "f"(lo));
    return word;
  }
  static ZRANK_DEVICE void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};

struct Bf16 {
  static ZRANK_DEVICE Pair Unpack(uint32_t word) {
    return {__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000u)};
  }
  static ZRANK_DEVICE uint32_t Pack(float lo, float hi) {
    uint32_t word;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(hi), "f"(lo));
    return word;
  }
  static ZRANK_DEVICE void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
};

ZRANK_DEVICE int Thread() { return static_cast<int>(threadIdx.x); }
ZRANK_DEVICE int64_t Block() { return blockIdx.x; }

template <typename Value>
ZRANK_DEVICE Value Read(const Value* address) {
  return *address;
}
template <typename Value>
ZRANK_DEVICE void Write(Value* address, Value value) {
  *address = value;
}

ZRANK_DEVICE uint32_t SharedAddress(uint32_t offset) {
  extern __shared__ Chunk shared[];
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared)) + offset;
}
ZRANK_DEVICE void WriteShared(uint32_t offset, uint32_t word) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(SharedAddress(offset)), "r"(word) : "memory");
}
ZRANK_DEVICE void WriteShared(uint32_t offset, const Chunk& chunk) {
  const uint32_t (&w)[4] = chunk.words;
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(SharedAddress(offset)), "r"(w[0]), "r"(w[1]), "r"(w[2]),
               "r"(w[3])
               : "memory");
}
ZRANK_DEVICE int32_t ReadSharedIndex(uint32_t offset) {
  int32_t index;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(index) : "r"(SharedAddress(offset)) : "memory");
  return index;
}
ZRANK_DEVICE Chunk ReadSharedChunk(uint32_t offset) {
  Chunk chunk;
  uint32_t (&w)[4] = chunk.words;
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(w[0]), "=r"(w[1]), "=r"(w[2]), "=r"(w[3])
               : "r"(SharedAddress(offset))
               : "memory");
  return chunk;
}

// Copies that go on while the thread does. Where `is_wanted` is false nothing is read, and zeros are written.
ZRANK_DEVICE void CopyAsync(uint32_t offset, const Chunk* from, bool is_wanted) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(SharedAddress(offset)), "l"(from),
               "r"(is_wanted ? 16 : 0)
               : "memory");
}
ZRANK_DEVICE void CopyAsync(uint32_t offset, const int32_t* from, bool is_wanted) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(SharedAddress(offset)), "l"(from),
               "r"(is_wanted ? 4 : 0)
               : "memory");
}
// All that this thread has begun to copy is in shared memory; a barrier shows it to the others.
ZRANK_DEVICE void WaitForCopies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

// What was written to shared memory before is there for all threads of the block, or of the warp, after.
ZRANK_DEVICE void Barrier() { __syncthreads(); }
ZRANK_DEVICE void WarpBarrier() { __syncwarp(); }

// The value of the lane whose number differs by `mask`.
ZRANK_DEVICE float ShuffleXor(float value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

// ldmatrix: each lane gives the row of 16 bytes (8 elements) that is row `lane % 8` of matrix `lane / 8`, and gets of
// each of the four matrices the elements [lane / 4][lane % 4 * 2 .. + 1] of it, or of its transpose.
template <int kCount>
ZRANK_DEVICE void LoadMatrices(uint32_t (&fragments)[kCount][4], const uint32_t (&offsets)[kCount]) {
  ZRANK_UNROLL
  for (int i = 0; i < kCount; ++i) {
    uint32_t (&f)[4] = fragments[i];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
                 : "r"(SharedAddress(offsets[i]))
                 : "memory");
  }
}
template <int kCount>
ZRANK_DEVICE void LoadTransposed(uint32_t (&fragments)[kCount][4], const uint32_t (&offsets)[kCount]) {
  ZRANK_UNROLL
  for (int i = 0; i < kCount; ++i) {
    uint32_t (&f)[4] = fragments[i];
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(f[0]), "=r"(f[1]), "=r"(f[2]), "=r"(f[3])
                 : "r"(SharedAddress(offsets[i]))
                 : "memory");
  }
}

// c[i][first + j] += a[i] b[j]: fragments of 16 x 16 and of 16 x 8, as PTX lays out mma.m16n8k16.
template <typename T, int kRows, int kAll, int kColumns>
ZRANK_DEVICE void MultiplyAdd(float (&c)[kRows][kAll][4], int first, const uint32_t (&a)[kRows][4],
                              const uint32_t (&b)[kColumns][2]) {
  ZRANK_UNROLL
  for (int j = 0; j < kColumns; ++j) {
    ZRANK_UNROLL
    for (int i = 0; i < kRows; ++i) T::MultiplyAdd(c[i][first + j], a[i], b[j]);
  }
}

ZRANK_DEVICE float Float(uint32_t bits) { return __uint_as_float(bits); }
ZRANK_DEVICE float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
ZRANK_DEVICE float Reciprocal(float x) { return __fdividef(1.0f, x); }
ZRANK_DEVICE float ReciprocalRoot(float x) { return rsqrtf(x); }
ZRANK_DEVICE float Max(float a, float b) { return fmaxf(a, b); }

}  // namespace zrank::cuda
