#pragma once

// The tile registers of AMX. Only for translation units whose functions run where the processor and Linux allow them.

#include <cstdint>

namespace zrank::amx {
namespace {

struct HardwareTiles {
  static constexpr int kRows = 16, kRowBytes = 64;

  // The shape of this thread's tiles: all are full. Outside they have no state to save when the thread is switched.
  struct Session {
    Session() {
      struct alignas(64) {
        uint8_t palette = 1, start_row = 0, reserved[14] = {};
        uint16_t row_bytes[16] = {};
        uint8_t rows[16] = {};
      } shape;
      for (int i = 0; i < 8; ++i) shape.row_bytes[i] = kRowBytes, shape.rows[i] = kRows;
      asm volatile("ldtilecfg %0" : : "m"(shape));
    }
    ~Session() { asm volatile("tilerelease"); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
  };

  template <int kTile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  // Strides in bytes.
  template <int kTile>
  static void Load(const void* from, int64_t stride) {
    asm volatile("tileloadd (%0, %1, 1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void Store(void* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0, %1, 1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // Adds to each fp32 of kSum the products of a row of kX and a column of kW, which holds pairs of bf16.
  template <int kSum, int kX, int kW>
  static void AddProducts() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kX), "i"(kW));
  }
};

}  // namespace
}  // namespace zrank::amx
