#include "kernels/ops/custom_ops.h"

#include "kernels/ops/attention_op.h"
#include "kernels/ops/matmul_op.h"

namespace zrank {

OrtCustomOpDomain* CustomOps() {
  static OrtCustomOpDomain* const domain = [] {
    auto* made = new Ort::CustomOpDomain(op::kDomain);
    made->Add(new MatMulOp);
    made->Add(new GatedMatMulOp);
    made->Add(new AttentionOp);
    return static_cast<OrtCustomOpDomain*>(*made);
  }();
  return domain;
}

}  // namespace zrank
