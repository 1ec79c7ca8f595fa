// Compiled for AVX-512 with VNNI.

#include "kernels/tiled/int8.h"

#include "kernels/avx512/kernels.h"
#include "kernels/avx512/registers.h"

namespace zrank::avx512 {
namespace {

struct ByteRegisters : Registers {
  // As an intrinsic, GCC 12 keeps copies of the sums in memory.
  [[gnu::always_inline]] static void AddProducts(Words& sum, Words x, Words w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  }

  static Words LoadBytes(const char* from) { return _mm512_loadu_si512(from); }
  static Words Multiples(int factor) {
    return _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                              _mm512_set1_epi32(factor));
  }
  static Floats Gather(const float* from, Words indices, int64_t count) {
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), FirstLanes(count), indices, from, 4);
  }
  static Floats ToFloats(Words value) { return _mm512_cvtepi32_ps(value); }
  static Words ToIntegers(Floats value) { return _mm512_cvtps_epi32(value); }
  static void StoreBytes(char* to, Words value) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(value));
  }
  static Words Subtract(Words a, Words b) { return _mm512_sub_epi32(a, b); }
  static Words FlipSigns(Words bytes) { return _mm512_xor_si512(bytes, BroadcastWord(0x80808080u)); }
  static Words Magnitude(Floats value) { return _mm512_and_si512(AsWords(value), BroadcastWord(0x7fffffffu)); }
  static Words LargerUnsigned(Words a, Words b) { return _mm512_max_epu32(a, b); }
  static uint32_t LargestUnsigned(Words value) { return _mm512_reduce_max_epu32(value); }
};

}  // namespace

constinit const GemmKernel kGemmInt8 = kGemm<Int8<ByteRegisters>>;

}  // namespace zrank::avx512
