// Compiled for x86-64-v3 with AVX-VNNI. AVX2 alone has no such instruction: two that multiply and add 16-bit pairs do
// half as much, and vpmaddubsw saturates (docs/performance.md).

#include "kernels/tiled/int8.h"

#include "kernels/avx2/kernels.h"
#include "kernels/avx2/registers.h"

namespace zrank::avx2 {
namespace {

struct ByteRegisters : Registers {
  // As an intrinsic, GCC 12 keeps copies of the sums in memory. Without "vex" it would be that of AVX-512.
  [[gnu::always_inline]] static void AddProducts(Words& sum, Words x, Words w) {
    asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(x), "x"(w));
  }

  static Words LoadBytes(const char* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
  static Words Multiples(int factor) {
    return _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(factor));
  }
  static Floats Gather(const float* from, Words indices, int64_t count) {
    return _mm256_mask_i32gather_ps(_mm256_setzero_ps(), from, indices, AsFloats(FirstLanes(count)), 4);
  }
  static Floats ToFloats(Words value) { return _mm256_cvtepi32_ps(value); }
  static Words ToIntegers(Floats value) { return _mm256_cvtps_epi32(value); }
  static void StoreBytes(char* to, Words value) {
    const __m256i lowest = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                            0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i bytes = _mm256_shuffle_epi8(value, lowest);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to),
                     _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1)));
  }
  static Words Subtract(Words a, Words b) { return _mm256_sub_epi32(a, b); }
  static Words FlipSigns(Words bytes) { return _mm256_xor_si256(bytes, BroadcastWord(0x80808080u)); }
  static Words Magnitude(Floats value) { return _mm256_and_si256(AsWords(value), BroadcastWord(0x7fffffffu)); }
  static Words LargerUnsigned(Words a, Words b) { return _mm256_max_epu32(a, b); }
  static uint32_t LargestUnsigned(Words value) {
    __m128i most = _mm_max_epu32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    most = _mm_max_epu32(most, _mm_shuffle_epi32(most, 0x4e));
    return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_max_epu32(most, _mm_shuffle_epi32(most, 0xb1))));
  }
};

}  // namespace

constinit const GemmKernel kGemmInt8 = kGemm<Int8<ByteRegisters>>;

}  // namespace zrank::avx2
