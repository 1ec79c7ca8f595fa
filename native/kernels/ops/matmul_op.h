#pragma once

#include <onnxruntime_cxx_api.h>

#include "kernels/gemm.h"
#include "kernels/ops/support.h"

namespace zrank {

class MatMulKernel {
 public:
  MatMulKernel(const OrtKernelInfo* info, bool gated);
  OrtStatusPtr ComputeV2(OrtKernelContext* context);

 private:
  void Compute(const Ort::KernelContext& context) const;

  const Arithmetic arithmetic_;
  const GemmKernel* const kernel_;
  const bool gated_;
};

// What CustomOpBase asks of an operator that takes X and weights of any type.
template <typename Op, bool kGated>
struct MatMulOpBase : Ort::CustomOpBase<Op, MatMulKernel, true> {
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return Guarded([&] { *kernel = new MatMulKernel(info, kGated); });
  }
  size_t GetInputTypeCount() const { return 2; }
  ONNXTensorElementDataType GetInputType(size_t i) const {
    return i == 0 ? ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT : ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
  }
  OrtCustomOpInputOutputCharacteristic GetInputCharacteristic(size_t i) const {
    return i == 0 ? INPUT_OUTPUT_REQUIRED : INPUT_OUTPUT_VARIADIC;
  }
  bool GetVariadicInputHomogeneity() const { return false; }
  size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
  OrtCustomOpInputOutputCharacteristic GetOutputCharacteristic(size_t) const { return INPUT_OUTPUT_VARIADIC; }
};

struct MatMulOp : MatMulOpBase<MatMulOp, false> {
  const char* GetName() const { return op::kMatMul; }
};

struct GatedMatMulOp : MatMulOpBase<GatedMatMulOp, true> {
  const char* GetName() const { return op::kGatedMatMul; }
};

}  // namespace zrank
