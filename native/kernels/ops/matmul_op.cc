#include "kernels/ops/matmul_op.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/dispatch.h"
#include "kernels/ops/support.h"

namespace zrank {

namespace {

Stored StoredAs(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return Stored::kFp32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return Stored::kFp16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16:
      return Stored::kBf16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
      return Stored::kInt8;
    default:
      throw std::invalid_argument("a weight is neither fp32 nor fp16 nor bf16 nor int8");
  }
}

struct WeightInput {
  Weight weight;
  Stored stored;
  int64_t columns;
};

// The weight at input `index`; the scales of one in int8 are the input that follows.
WeightInput ReadWeight(const Ort::KernelContext& context, size_t index, Arithmetic arithmetic, int64_t depth) {
  const auto fits = [index](bool condition) {
    if (!condition) throw std::invalid_argument("the weight at input " + std::to_string(index) + " does not fit");
  };
  const Tensor data = Input(context, index);
  const int64_t columns = data.shape[0];
  const Stored stored = StoredAs(data.type);
  fits((stored == Stored::kInt8) == (arithmetic == Arithmetic::kInt8));
  if (stored != Stored::kInt8) {
    fits(data.shape == std::vector<int64_t>{columns, depth});
    return {{data.data, nullptr}, stored, columns};
  }
  const int64_t blocks = (depth + kInt8Block - 1) / kInt8Block;
  const Tensor scales = Input(context, index + 1);
  fits(data.shape == std::vector<int64_t>{columns, blocks, kInt8Block} &&
       scales.shape == std::vector<int64_t>{columns, blocks} && scales.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  return {{data.data, scales.floats()}, stored, columns};
}

// Several multiplications of the same X.
struct Job {
  const GemmKernel* kernel;
  GemmInput input;
  std::vector<Gemm> gemms;

  // A few tiles a task, since one takes only microseconds.
  static constexpr size_t kTilesPerTask = 8;

  void Pack(size_t index) const {
    const auto tiles = static_cast<size_t>(kernel->tiles(input));
    for (size_t tile = index * kTilesPerTask; tile < std::min((index + 1) * kTilesPerTask, tiles); ++tile) {
      kernel->pack(input, static_cast<int64_t>(tile));
    }
  }

  // Blocks are numbered through the multiplications.
  void Multiply(size_t index) const {
    auto block = static_cast<int64_t>(index);
    for (const Gemm& gemm : gemms) {
      const int64_t blocks = kernel->blocks(input, gemm);
      if (block < blocks) return kernel->block(input, gemm, block, Workspace(kernel->workspace_bytes));
      block -= blocks;
    }
  }
};

}  // namespace

MatMulKernel::MatMulKernel(const OrtKernelInfo* info, bool gated)
    : arithmetic_(ArithmeticOf(info)), kernel_(CpuTarget().FindGemm(arithmetic_)), gated_(gated) {}

OrtStatusPtr MatMulKernel::ComputeV2(OrtKernelContext* context) {
  return Guarded([&] { Compute(Ort::KernelContext(context)); });
}

void MatMulKernel::Compute(const Ort::KernelContext& context) const {
  const Tensor x = Input(context, 0);
  Job job{kernel_, {static_cast<const float*>(x.data), nullptr, x.shape[0], x.shape[1]}, {}};
  size_t blocks = 0;
  const size_t inputs_each = arithmetic_ == Arithmetic::kInt8 ? 2 : 1;  // of a weight
  const auto read = [&](size_t index) { return ReadWeight(context, index, arithmetic_, x.shape[1]); };
  for (size_t output = 0; output < context.GetOutputCount(); ++output) {
    const size_t index = 1 + output * inputs_each * (gated_ ? 2 : 1);
    const WeightInput weight = read(index),
                      up = gated_ ? read(index + inputs_each) : WeightInput{{}, weight.stored, weight.columns};
    if (up.columns != weight.columns || up.stored != weight.stored)
      throw std::invalid_argument("gate and up do not fit each other");
    const int64_t shape[] = {x.shape[0], weight.columns};
    Ort::UnownedValue y = context.GetOutput(output, shape, 2);
    job.gemms.push_back({weight.weight, up.weight, y.GetTensorMutableData<float>(), weight.columns, weight.stored});
    blocks += static_cast<size_t>(kernel_->blocks(job.input, job.gemms.back()));
  }
  if (x.shape[0] == 0) return;
  const Scratch packed(context, kernel_->packed_bytes(job.input));
  job.input.packed = packed.data();
  const size_t tasks = (static_cast<size_t>(kernel_->tiles(job.input)) + Job::kTilesPerTask - 1) / Job::kTilesPerTask;
  ParallelFor(context, tasks, [&](size_t index) { job.Pack(index); });
  ParallelFor(context, blocks, [&](size_t index) { job.Multiply(index); });
}

}  // namespace zrank
