#pragma once

#include <cstdint>
#include <string>

#include "kernels/cuda/arguments.h"

namespace zrank::cuda {

// The types that the kernels compute with; their names in the kernels' names.
enum class Element { kFp16, kBf16 };
constexpr const char* kElementNames[] = {"fp16", "bf16"};

// A kernel by its name in kernels.cu, and the grid to run it on.
struct Launch {
  std::string kernel;
  int64_t blocks;
  int threads;            // of a block
  uint32_t shared_bytes;  // of a block
};

// What runs kernels: the GPU (module.h), or in tests the emulator.
class Launcher {
 public:
  virtual ~Launcher() = default;
  // Starts a kernel on a CUDA stream, behind what the stream has to do. `arguments` is the kernel's structure.
  virtual void Start(const Launch& launch, const void* arguments, void* stream) = 0;
};

// Whether there are kernels for heads of this size, and attention for so many query heads a key/value head.
bool HasKernels(int64_t head_dim, int64_t heads, int64_t key_value_heads);

// The grids for arguments. All pointers to T must be aligned to 16 bytes.
Launch LaunchOf(const GatedUnitsArguments& arguments, Element element);
Launch LaunchOf(const RotateHeadsArguments& arguments, Element element, int64_t head_dim);
Launch LaunchOf(const AttentionArguments& arguments, Element element, int64_t head_dim, int64_t tiles);

}  // namespace zrank::cuda
