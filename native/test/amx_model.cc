// Compiled for AVX-512 with BF16.

#include "test/amx_model.h"

#include <cstring>

#include "kernels/amx/bf16.h"
#include "kernels/tiled/attention.h"

namespace zrank::test {
namespace {

struct Bf16Pair {
  uint16_t first, second;
};

float Widen(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  return __builtin_bit_cast(float, bits);
}

// Of one thread.
alignas(64) thread_local char tiles[8][16][64];
thread_local bool is_configured = false;

// After the operation of each instruction in Intel's "Architecture Instruction Set Extensions Programming Reference",
// chapter 3.
struct ModelTiles {
  struct Session {
    Session() { is_configured = true; }
    ~Session() { is_configured = false; }
  };

  // A tile of a thread without a configuration is an invalid opcode.
  static void Check() {
    if (!is_configured) __builtin_trap();
  }

  template <int kTile>
  static void Zero() {
    Check();
    std::memset(tiles[kTile], 0, sizeof(tiles[kTile]));
  }
  template <int kTile>
  static void Load(const void* from, int64_t stride) {
    Check();
    for (int row = 0; row < 16; ++row)
      std::memcpy(tiles[kTile][row], static_cast<const char*>(from) + row * stride, 64);
  }
  template <int kTile>
  static void Store(void* to, int64_t stride) {
    Check();
    for (int row = 0; row < 16; ++row) std::memcpy(static_cast<char*>(to) + row * stride, tiles[kTile][row], 64);
  }
  template <int kSum, int kX, int kW>
  static void AddProducts() {
    Check();
    auto& sum = reinterpret_cast<float (&)[16][16]>(tiles[kSum]);
    const auto& x = reinterpret_cast<const Bf16Pair(&)[16][16]>(tiles[kX]);
    const auto& w = reinterpret_cast<const Bf16Pair(&)[16][16]>(tiles[kW]);
    for (int row = 0; row < 16; ++row) {
      for (int k = 0; k < 16; ++k) {
        for (int column = 0; column < 16; ++column) {
          sum[row][column] += Widen(x[row][k].first) * Widen(w[k][column].first);
          sum[row][column] += Widen(x[row][k].second) * Widen(w[k][column].second);
        }
      }
    }
  }
};

}  // namespace

constinit const GemmKernel kAmxModelGemm = kGemm<amx::Bf16<ModelTiles>>;
constinit const AttentionKernel kAmxModelAttention = kAttention<amx::Bf16<ModelTiles>>;

}  // namespace zrank::test
