#pragma once

#include <onnxruntime_cxx_api.h>

#include "kernels/attention.h"
#include "kernels/ops/support.h"

namespace zrank {

class AttentionOpKernel {
 public:
  explicit AttentionOpKernel(const OrtKernelInfo* info);
  OrtStatusPtr ComputeV2(OrtKernelContext* context);

 private:
  void Compute(const Ort::KernelContext& context) const;

  const AttentionKernel* kernel_;
  int64_t heads_, key_value_heads_;
  float epsilon_;
};

struct AttentionOp : Ort::CustomOpBase<AttentionOp, AttentionOpKernel, true> {
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return Guarded([&] { *kernel = new AttentionOpKernel(info); });
  }
  const char* GetName() const { return op::kAttention; }
  size_t GetInputTypeCount() const { return 9; }
  ONNXTensorElementDataType GetInputType(size_t i) const {
    return i < 7 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT : ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
  }
  // The norms may be left out.
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t i) const {
    return i == 3 || i == 4 ? INPUT_OUTPUT_OPTIONAL : INPUT_OUTPUT_REQUIRED;
  }
  size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
};

}  // namespace zrank
