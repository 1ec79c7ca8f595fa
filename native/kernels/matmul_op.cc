#include "kernels/matmul_op.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>

namespace zrank {

namespace {

struct Matrix {
  const void* data;
  int64_t rows, columns;
  ONNXTensorElementDataType type;
};

Matrix Input(const Ort::KernelContext& context, size_t index) {
  const Ort::ConstValue value = context.GetInput(index);
  const auto info = value.GetTensorTypeAndShapeInfo();
  const std::vector<int64_t> shape = info.GetShape();
  if (shape.size() != 2) throw std::invalid_argument("input " + std::to_string(index) + " is not a matrix");
  return {value.GetTensorRawData(), shape[0], shape[1], info.GetElementType()};
}

Stored StoredAs(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT: return Stored::kFp32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16: return Stored::kFp16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16: return Stored::kBf16;
    default: throw std::invalid_argument("a weight is neither fp32 nor fp16 nor bf16");
  }
}

// This thread's scratch memory. Threads of ONNX Runtime's pool and of the workers live as long as the model, or longer.
void* Workspace() {
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  thread_local const std::unique_ptr<void, Free> memory(
      std::aligned_alloc(kGemmAlignment, (kGemmWorkspaceBytes + kGemmAlignment - 1) / kGemmAlignment * kGemmAlignment));
  if (!memory) throw std::bad_alloc();
  return memory.get();
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
      if (block < blocks) return job.kernel->block(job.input, gemm, block, Workspace());
      block -= blocks;
    }
  }
};

// Memory from the session's arena for the time of one call.
class Scratch {
 public:
  Scratch(const Ort::KernelContext& context, size_t bytes)
      : allocator_(context.GetAllocator(*Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault))),
        memory_(allocator_->Alloc(allocator_, bytes + kGemmAlignment)) {
    if (memory_ == nullptr) throw std::bad_alloc();
  }
  ~Scratch() { allocator_->Free(allocator_, memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  uint32_t* data() const {
    const auto address = reinterpret_cast<uintptr_t>(memory_);
    return reinterpret_cast<uint32_t*>((address + kGemmAlignment - 1) / kGemmAlignment * kGemmAlignment);
  }

 private:
  OrtAllocator* const allocator_;
  void* const memory_;
};

}  // namespace

MatMulKernel::MatMulKernel(const OrtKernelInfo* info, bool gated)
    : gemm_(nullptr), gated_(gated) {
  const auto arithmetic = Ort::ConstKernelInfo(info).GetAttribute<std::string>("arithmetic");
  gemm_ = FindGemmKernel(arithmetic == "bf16" ? Arithmetic::kBf16 : Arithmetic::kFp32);
  if (gemm_ == nullptr) throw std::runtime_error("this processor has no instructions for " + arithmetic + " kernels");
}

OrtStatusPtr MatMulKernel::ComputeV2(OrtKernelContext* context) {
  try {
    Compute(Ort::KernelContext(context));
    return nullptr;
  } catch (const std::exception& exception) {
    return Ort::Status(exception.what(), ORT_FAIL).release();
  }
}

void MatMulKernel::Compute(const Ort::KernelContext& context) const {
  const Matrix x = Input(context, 0);
  Job job{gemm_, {static_cast<const float*>(x.data), nullptr, x.rows, x.columns}, {}};
  size_t blocks = 0;
  const size_t weights = context.GetInputCount() - 1, weights_each = gated_ ? 2 : 1;
  for (size_t i = 0; i < weights; i += weights_each) {
    const Matrix weight = Input(context, 1 + i), up = gated_ ? Input(context, 2 + i) : weight;
    const Stored stored = StoredAs(weight.type);
    if (weight.columns != x.columns || up.columns != x.columns || up.rows != weight.rows || up.type != weight.type) {
      throw std::invalid_argument("weight " + std::to_string(i) + " does not fit");
    }
    const int64_t shape[] = {x.rows, weight.rows};
    Ort::UnownedValue y = context.GetOutput(i / weights_each, shape, 2);
    job.gemms.push_back({weight.data, gated_ ? up.data : nullptr, y.GetTensorMutableData<float>(), weight.rows, stored});
    blocks += static_cast<size_t>(GemmBlocks(job.input, job.gemms.back()));
  }
  if (x.rows == 0) return;
  const Scratch packed(context, gemm_->packed_bytes(job.input));
  job.input.packed = packed.data();
  const size_t tasks = (static_cast<size_t>(GemmTiles(job.input)) + Job::kTilesPerTask - 1) / Job::kTilesPerTask;
  context.ParallelFor(Job::Pack, tasks, tasks, &job);
  context.ParallelFor(Job::Multiply, blocks, blocks, &job);
}

}  // namespace zrank
