#pragma once

// Only for translation units compiled for x86-64-v3: AVX2, FMA, F16C. Everything here has internal linkage: a symbol
// shared with the rest of the program could carry these instructions to processors without them.

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "kernels/tiled/blocking.h"

namespace zrank::avx2 {
namespace {

// What the templates of kernels/tiled ask of registers; `count` is how many lanes are there, any number. Tiles of 6 x
// 16: 12 of the 16 registers are accumulators. A block's columns of a slice take 256 KB, since these processors have
// 256 or 512 KB of L2.
struct Registers : Blocking<8, 6, 256> {
  using Floats = __m256;
  using Words = __m256i;

  static Floats Broadcast(float value) { return _mm256_set1_ps(value); }
  static Words BroadcastWord(uint32_t value) { return _mm256_set1_epi32(static_cast<int>(value)); }
  static Floats Load(const float* from) { return _mm256_loadu_ps(from); }
  // Masked instructions take tens of cycles on AMD: only where lanes are missing.
  static Floats Load(const float* from, int64_t count) {
    return count >= kLanes ? Load(from) : _mm256_maskload_ps(from, FirstLanes(count));
  }
  static void Store(float* to, Floats value) { _mm256_storeu_ps(to, value); }
  static void Store(float* to, Floats value, int64_t count) {
    if (count >= kLanes) return Store(to, value);
    _mm256_maskstore_ps(to, FirstLanes(count), value);
  }
  static Words LoadWords(const uint32_t* from) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(from)); }
  static void StoreWords(uint32_t* to, Words value) { _mm256_store_si256(reinterpret_cast<__m256i*>(to), value); }

  static Floats AsFloats(Words value) { return _mm256_castsi256_ps(value); }
  static Words AsWords(Floats value) { return _mm256_castps_si256(value); }
  static Words LoadHalves(const char* from, int64_t count) {
    const auto load = [](const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); };
    if (count >= 2 * kLanes) return load(from);
    uint16_t halves[2 * kLanes] = {};
    if (count > 0) std::memcpy(halves, from, 2 * static_cast<size_t>(count));
    return load(halves);
  }
  static Floats LoadFp16(const char* from, int64_t count) {
    const auto load = [](const void* at) { return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(at))); };
    if (count >= kLanes) return load(from);
    uint16_t halves[kLanes] = {};
    if (count > 0) std::memcpy(halves, from, 2 * static_cast<size_t>(count));
    return load(halves);
  }
  // The lower or upper halves of all words, each as the upper half of a word of its own: bf16 as fp32.
  static Words LowerHalves(Words value) { return _mm256_slli_epi32(value, 16); }
  static Words UpperHalves(Words value) {
    return _mm256_and_si256(value, _mm256_set1_epi32(static_cast<int>(0xffff0000u)));
  }

  static Floats MultiplyAdd(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  static Floats Min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  static Floats Max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  static Floats Round(Floats value) { return _mm256_round_ps(value, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  // In two factors, each of which is a normal number: their product need not be one.
  static Floats Scale(Floats value, Floats exponent) {
    const __m256i n = _mm256_cvtps_epi32(exponent), half = _mm256_srai_epi32(n, 1);
    return value * PowerOfTwo(half) * PowerOfTwo(_mm256_sub_epi32(n, half));
  }
  static Floats First(Floats value, int64_t count, Floats others) {
    return _mm256_blendv_ps(others, value, _mm256_castsi256_ps(FirstLanes(count)));
  }
  static float Sum(Floats value) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
  }
  static float Largest(Floats value) {
    __m128 most = _mm_max_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
    most = _mm_max_ps(most, _mm_movehl_ps(most, most));
    return _mm_cvtss_f32(_mm_max_ss(most, _mm_movehdup_ps(most)));
  }

  // First pairs of rows, then fours, then the 128-bit halves.
  static void Transpose(Words (&row)[8]) {
    Words t[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      t[2 * i] = _mm256_unpacklo_epi32(row[2 * i], row[2 * i + 1]);
      t[2 * i + 1] = _mm256_unpackhi_epi32(row[2 * i], row[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
      row[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
      row[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
      row[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
      row[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      t[i] = _mm256_permute2x128_si256(row[i], row[i + 4], 0x20);
      t[i + 4] = _mm256_permute2x128_si256(row[i], row[i + 4], 0x31);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) row[i] = t[i];
  }

  static __m256i FirstLanes(int64_t count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(zrank::Min(count, kLanes))),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }

 private:
  static Floats PowerOfTwo(__m256i exponent) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(exponent, _mm256_set1_epi32(127)), 23));
  }
};

}  // namespace
}  // namespace zrank::avx2
