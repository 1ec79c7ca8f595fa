#pragma once

// Only for translation units compiled for AVX-512. Everything here has internal linkage: a symbol shared with the rest
// of the program could carry these instructions to processors without them.

#include <immintrin.h>

#include <cstdint>

#include "kernels/tiled/blocking.h"

namespace zrank::avx512 {
namespace {

// What the templates of kernels/tiled ask of registers; `count` is how many lanes are there, any number.
struct Operations {
  using Floats = __m512;
  using Words = __m512i;

  static Floats Broadcast(float value) { return _mm512_set1_ps(value); }
  static Words BroadcastWord(uint32_t value) { return _mm512_set1_epi32(static_cast<int>(value)); }
  static Floats Load(const float* from) { return _mm512_loadu_ps(from); }
  static Floats Load(const float* from, int64_t count) { return _mm512_maskz_loadu_ps(FirstLanes(count), from); }
  static void Store(float* to, Floats value) { _mm512_storeu_ps(to, value); }
  static void Store(float* to, Floats value, int64_t count) { _mm512_mask_storeu_ps(to, FirstLanes(count), value); }
  static Words LoadWords(const uint32_t* from) { return _mm512_load_si512(from); }
  static void StoreWords(uint32_t* to, Words value) { _mm512_store_si512(to, value); }

  static Floats AsFloats(Words value) { return _mm512_castsi512_ps(value); }
  static Words AsWords(Floats value) { return _mm512_castps_si512(value); }
  static Words LoadHalves(const char* from, int64_t count) {
    return _mm512_maskz_loadu_epi16(FirstHalves(count), from);
  }
  static Floats LoadFp16(const char* from, int64_t count) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(FirstLanes(count), from));
  }
  // The lower or upper halves of all words, each as the upper half of a word of its own: bf16 as fp32.
  static Words LowerHalves(Words value) { return _mm512_slli_epi32(value, 16); }
  static Words UpperHalves(Words value) {
    return _mm512_and_si512(value, _mm512_set1_epi32(static_cast<int>(0xffff0000u)));
  }

  static Floats MultiplyAdd(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats Min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  static Floats Max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats Round(Floats value) { return _mm512_roundscale_ps(value, 8); }
  static Floats Scale(Floats value, Floats exponent) { return _mm512_scalef_ps(value, exponent); }
  static Floats First(Floats value, int64_t count, Floats others) {
    return _mm512_mask_mov_ps(others, FirstLanes(count), value);
  }
  static float Sum(Floats value) { return _mm512_reduce_add_ps(value); }
  static float Largest(Floats value) { return _mm512_reduce_max_ps(value); }

  // First pairs of rows, then fours, then the 128-bit quarters.
  static void Transpose(Words (&row)[16]) {
    Words t[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      t[2 * i] = _mm512_unpacklo_epi32(row[2 * i], row[2 * i + 1]);
      t[2 * i + 1] = _mm512_unpackhi_epi32(row[2 * i], row[2 * i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
      row[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
      row[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
      row[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
      row[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      t[i] = _mm512_shuffle_i32x4(row[i], row[i + 4], 0x88);
      t[i + 4] = _mm512_shuffle_i32x4(row[i], row[i + 4], 0xdd);
      t[i + 8] = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0x88);
      t[i + 12] = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0xdd);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      row[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
      row[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
  }

  static __mmask16 FirstLanes(int64_t count) {
    return count >= 16 ? 0xffff : count <= 0 ? 0 : static_cast<__mmask16>((1u << count) - 1);
  }
  static __mmask32 FirstHalves(int64_t count) {
    return count >= 32 ? 0xffffffffu : count <= 0 ? 0 : static_cast<__mmask32>((1u << count) - 1);
  }
};

// Tiles of 12 x 32: 24 accumulators. A block's columns of a slice take 512 KB.
struct Registers : Blocking<16, 12, 512>, Operations {};

}  // namespace
}  // namespace zrank::avx512
