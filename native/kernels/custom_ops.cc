#include "kernels/custom_ops.h"

#include "kernels/attention_op.h"
#include "kernels/matmul_op.h"

namespace zrank {

OrtCustomOpDomain* CustomOps() {
  static OrtCustomOpDomain* const domain = [] {
    auto* made = new Ort::CustomOpDomain("zrank");
    made->Add(new MatMulOp);
    made->Add(new GatedMatMulOp);
    made->Add(new AttentionOp);
    return static_cast<OrtCustomOpDomain*>(*made);
  }();
  return domain;
}

}  // namespace zrank
