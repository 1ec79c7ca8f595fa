#pragma once

namespace zrank::cuda {

// kernels.fatbin, the compiled kernels (tools/cuda-kernels.sh); null in builds for systems that have no CUDA.
const void* Fatbin();

}  // namespace zrank::cuda
