#pragma once

// Only for translation units compiled for AMX and AVX-512.

#include <immintrin.h>

#include <cstdint>

#include "kernels/avx512/registers.h"

namespace zrank::amx {
namespace {

// Tiles of 32 x 32: four of the eight tile registers, of 16 rows of 64 bytes, are sums, two are of X and two of W. The
// rows' slice takes 32 KB of L1.
struct Registers : Blocking<16, 32, 256>, avx512::Operations {
  static constexpr int64_t kSummedRows = 16, kSummedSteps = 16;

  // The shape of this thread's tiles. Without it they have no state to save when the thread is switched.
  struct Session {
    Session() {
      struct alignas(64) {
        uint8_t palette = 1, start_row = 0, reserved[14] = {};
        uint16_t row_bytes[16] = {};
        uint8_t rows[16] = {};
      } shape;
      for (int i = 0; i < 8; ++i) shape.row_bytes[i] = 64, shape.rows[i] = 16;
      // GCC 12 takes the instruction for one that reads eight bytes.
      asm volatile("" : : "r"(&shape) : "memory");
      _tile_loadconfig(&shape);
    }
    ~Session() { _tile_release(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };
};

}  // namespace
}  // namespace zrank::amx
