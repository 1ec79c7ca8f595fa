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
  const float* x;
  const void* weight;
  const void* up;  // or null
  float* y;
  int64_t rows, depth, columns;
  Stored stored;
};

// A multiplication is done in blocks, in any order and on any threads.
struct GemmKernel {
  void (*block)(const Gemm& gemm, int64_t index, void* workspace);
};

int64_t GemmBlocks(const Gemm& gemm);

// Scratch memory of one thread, aligned to kGemmAlignment. What a shape does not need is never touched.
extern const size_t kGemmWorkspaceBytes;
constexpr size_t kGemmAlignment = 4096;

// The kernel for this processor, null where it lacks the instructions.
const GemmKernel* FindGemmKernel(Arithmetic arithmetic);

}  // namespace zrank
