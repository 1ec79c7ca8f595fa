#pragma once

#include <cstdint>
#include <functional>

#include "kernels/cuda/launch.h"

namespace zrank::cuda {

// y = alpha x w^T, sums in fp32. Rows lie without gaps, and all begins at a multiple of 16 bytes.
struct Product {
  Element element;
  const void* x;  // [rows, depth]
  const void* w;  // [columns, depth]
  void* y;        // [rows, columns]
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
  virtual void Multiply(const Product& product, const Workspace& workspace, void* stream) = 0;
};

}  // namespace zrank::cuda
