#pragma once

#include <onnxruntime_cxx_api.h>

#include <span>

#include "kernels/cuda/launch.h"
#include "kernels/ops/support.h"

namespace zrank {

// The operators that run on CUDA (custom_ops.h), one for fp16 and one for bf16 each. `provider` is the execution
// provider that runs them; null is the CPU's, for tests with a launcher that runs there.
void AddCudaOps(Ort::CustomOpDomain& domain, cuda::Launcher& launcher, const char* provider);

}  // namespace zrank
