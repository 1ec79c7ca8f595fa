#include "kernels/ops/custom_ops.h"

#include "kernels/cuda/cublas_lt.h"
#include "kernels/cuda/driver_launcher.h"
#include "kernels/ops/attention_op.h"
#include "kernels/ops/cuda_ops.h"
#include "kernels/ops/matmul_op.h"

namespace zrank {

OrtCustomOpDomain* CustomOps() {
  static OrtCustomOpDomain* const domain = [] {
    Ort::CustomOpDomain made(op::kDomain);
    made.Add(new MatMulOp);
    made.Add(new GatedMatMulOp);
    made.Add(new AttentionOp);
    // Never destroyed either: at the end of the process cuBLASLt may be gone before what is its own.
    AddCudaOps(made, {*new cuda::DriverLauncher, *new cuda::CublasLt}, "CUDAExecutionProvider");
    return made.release();
  }();
  return domain;
}

}  // namespace zrank
