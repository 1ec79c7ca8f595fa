#include "kernels/matmul_op.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/op_support.h"

namespace zrank {

namespace {

Stored StoredAs(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return Stored::kFp32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16: return Stored::kFp16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16: return Stored::kBf16;
    default: throw std::invalid_argument("a weight is neither fp32 nor fp16 nor bf16");
  }
}

// Several multiplications of the same X.
struct Job {
  const GemmKernel* kernel;
  GemmInput input;
  std::vector<Gemm> gemms;

  // A few tiles a task, since one takes only microseconds.
  static constexpr size_t kTilesPerTask = 8;

  static void Pack(void* self, size_t index) {
    const auto& job = *static_cast<const Job*>(self);
    const auto tiles = static_cast<size_t>(GemmTiles(job.input));
    for (size_t tile = index * kTilesPerTask; tile < std::min((index + 1) * kTilesPerTask, tiles); ++tile) {
      job.kernel->pack(job.input, static_cast<int64_t>(tile));
    }
  }

  // Blocks are numbered through the multiplications.
  static void Multiply(void* self, size_t index) {
    const auto& job = *static_cast<const Job*>(self);
    auto block = static_cast<int64_t>(index);
    for (const Gemm& gemm : job.gemms) {
      const int64_t blocks = GemmBlocks(job.input, gemm);
      if (block < blocks) return job.kernel->block(job.input, gemm, block, Workspace(kGemmWorkspaceBytes));
      block -= blocks;
    }
  }
};

}  // namespace

MatMulKernel::MatMulKernel(const OrtKernelInfo* info, bool gated)
    : gemm_(Kernel(FindGemmKernel, info)), gated_(gated) {}

OrtStatusPtr MatMulKernel::ComputeV2(OrtKernelContext* context) {
  return Guarded([&] { Compute(Ort::KernelContext(context)); });
}

void MatMulKernel::Compute(const Ort::KernelContext& context) const {
  const Tensor x = Input(context, 0);
  Job job{gemm_, {static_cast<const float*>(x.data), nullptr, x.shape[0], x.shape[1]}, {}};
  size_t blocks = 0;
  const size_t weights = context.GetInputCount() - 1, weights_each = gated_ ? 2 : 1;
  for (size_t i = 0; i < weights; i += weights_each) {
    const Tensor weight = Input(context, 1 + i), up = gated_ ? Input(context, 2 + i) : weight;
    const Stored stored = StoredAs(weight.type);
    if (weight.shape[1] != x.shape[1] || up.shape[1] != x.shape[1] || up.shape[0] != weight.shape[0] || up.type != weight.type) {
      throw std::invalid_argument("weight " + std::to_string(i) + " does not fit");
    }
    const int64_t shape[] = {x.shape[0], weight.shape[0]};
    Ort::UnownedValue y = context.GetOutput(i / weights_each, shape, 2);
    job.gemms.push_back({weight.data, gated_ ? up.data : nullptr, y.GetTensorMutableData<float>(), weight.shape[0], stored});
    blocks += static_cast<size_t>(GemmBlocks(job.input, job.gemms.back()));
  }
  if (x.shape[0] == 0) return;
  const Scratch packed(context, gemm_->packed_bytes(job.input));
  job.input.packed = packed.data();
  const size_t tasks = (static_cast<size_t>(GemmTiles(job.input)) + Job::kTilesPerTask - 1) / Job::kTilesPerTask;
  context.ParallelFor(Job::Pack, tasks, tasks, &job);
  context.ParallelFor(Job::Multiply, blocks, blocks, &job);
}

}  // namespace zrank
