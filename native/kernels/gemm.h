#pragma once

#include <cstddef>
#include <cstdint>

namespace zrank {

// How products are formed; sums are fp32 in both.
enum class Arithmetic {
  kFp32,  // fp32 times the weight, widened exactly
  kBf16,  // both factors bf16, the activations rounded to it
};

enum class Stored { kFp32, kFp16, kBf16 };

// Y[rows, columns] = X[rows, depth] W[columns, depth]^T, the weight as Hugging Face stores it, [out, in].
// With `up`, a second weight of the same shape: Y = silu(X W^T) * (X up^T).
struct Gemm {
  const void* weight;
  const void* up;  // or null
  float* y;
  int64_t columns;
  Stored stored;
};

// X as the kernels take it, shared by all multiplications of one X. `packed` is aligned to kGemmAlignment.
struct GemmInput {
  const float* x;    // [rows, depth]
  uint32_t* packed;  // PackedBytes
  int64_t rows, depth;
};

// First every tile of X is packed, then every block is computed; each in any order and on any threads.
struct GemmKernel {
  size_t (*packed_bytes)(const GemmInput& input);
  void (*pack)(const GemmInput& input, int64_t tile);
  void (*block)(const GemmInput& input, const Gemm& gemm, int64_t index, void* workspace);
};

int64_t GemmTiles(const GemmInput& input);
int64_t GemmBlocks(const GemmInput& input, const Gemm& gemm);

// Scratch memory of one thread, aligned to kGemmAlignment. What a shape does not need is never touched.
extern const size_t kGemmWorkspaceBytes;
constexpr size_t kGemmAlignment = 64;

// The kernel for this processor, null where it lacks the instructions.
const GemmKernel* FindGemmKernel(Arithmetic arithmetic);

}  // namespace zrank
