#pragma once

#include <onnxruntime_cxx_api.h>

#include <span>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/multiplier.h"
#include "kernels/ops/support.h"

namespace zrank {

// What the operators have a GPU do their work with.
struct CudaMachine {
  cuda::Launcher& launcher;
  cuda::Multiplier& multiplier;
};

// The operators that run on CUDA (custom_ops.h), one for fp16 and one for bf16 each. `provider` is the execution
// provider that runs them; null is the CPU's, for tests with a machine that is emulated.
void AddCudaOps(Ort::CustomOpDomain& domain, const CudaMachine& machine, const char* provider);

}  // namespace zrank
