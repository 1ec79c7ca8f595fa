#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "kernels/cuda/launch.h"

namespace zrank::cuda {

// y = alpha x w^T for one weight, or for each of two of one shape; sums in fp32. Rows lie without gaps, and all begins
// at a multiple of 16 bytes.
struct Products {
  Element element;
  const void* x;                 // [rows, depth]
  std::array<const void*, 2> w;  // [columns, depth] each; the second is null where there is one
  std::array<void*, 2> y;        // [rows, columns] each
  int64_t rows, columns, depth;
  float alpha;
};

// What multiplies matrices on a GPU: cuBLASLt.
class Multiplier {
 public:
  virtual ~Multiplier() = default;
  // Memory of the device of so many bytes, aligned to 256, for what is put on the stream until Multiply() returns.
  using Workspace = std::function<void*(size_t bytes)>;
  // Starts on a CUDA stream, behind what the stream has to do; the stream's context is current.
  virtual void Multiply(const Products& products, const Workspace& workspace, void* stream) = 0;
};

}  // namespace zrank::cuda
