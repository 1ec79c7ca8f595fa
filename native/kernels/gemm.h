#pragma once

#include <cstddef>
#include <cstdint>

#include "core/contract.h"

namespace zrank {

enum class Stored { kFp32, kFp16, kBf16, kInt8 };

// A weight [columns, depth], as Hugging Face stores it. In int8 the depth is filled up to whole blocks: bytes
// [columns, blocks, kInt8Block], of which 128 stands for zero, and `scales` [columns, blocks], as MatMulNBits of
// com.microsoft takes them. Only int8 kernels take it, and they take nothing else.
struct Weight {
  const void* data;     // or null
  const float* scales;  // or null
};

// Y[rows, columns] = X[rows, depth] W[columns, depth]^T. With `up`, a second weight of the same shape: Y = silu(X W^T)
// * (X up^T).
struct Gemm {
  Weight weight;
  Weight up;  // perhaps none
  float* y;
  int64_t columns;
  Stored stored;
};

// X as the kernels take it, shared by all multiplications of one X. `packed` is aligned to kGemmAlignment.
struct GemmInput {
  const float* x;    // [rows, depth]
  uint32_t* packed;  // [packed_bytes]
  int64_t rows, depth;
};

// Of packed X and of workspaces.
constexpr size_t kGemmAlignment = 64;

// First every tile of X is packed, then every block is computed; each in any order and on any threads. How large tiles
// and blocks are is the kernel's matter.
struct GemmKernel {
  size_t workspace_bytes;  // scratch memory of one thread; what a shape does not need is never touched
  size_t (*packed_bytes)(const GemmInput& input);
  int64_t (*tiles)(const GemmInput& input);
  int64_t (*blocks)(const GemmInput& input, const Gemm& gemm);
  void (*pack)(const GemmInput& input, int64_t tile);
  void (*block)(const GemmInput& input, const Gemm& gemm, int64_t index, void* workspace);
};

}  // namespace zrank
