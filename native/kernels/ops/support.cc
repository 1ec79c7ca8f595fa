#include "kernels/ops/support.h"

#include <memory>
#include <new>
#include <stdexcept>
#include <string>

#include "core/words.h"
#include "kernels/dispatch.h"

namespace zrank {

Tensor Input(const Ort::KernelContext& context, size_t index) {
  const Ort::ConstValue value = context.GetInput(index);
  if (!value) return {};
  const auto info = value.GetTensorTypeAndShapeInfo();
  std::vector<int64_t> shape = info.GetShape();
  while (shape.size() < 2) shape.insert(shape.begin(), 1);
  return {value.GetTensorRawData(), shape, info.GetElementType()};
}

Arithmetic ArithmeticOf(const OrtKernelInfo* info) {
  const auto name = Ort::ConstKernelInfo(info).GetAttribute<std::string>(op::kArithmetic);
  const auto arithmetic = Parse<Arithmetic>(name, "arithmetic");
  if (CpuTarget().FindGemm(arithmetic) == nullptr)
    throw std::runtime_error("this processor has no instructions for " + name + " kernels");
  return arithmetic;
}

void* Workspace(size_t bytes) {
  constexpr std::align_val_t alignment{kGemmAlignment};
  struct Free {
    void operator()(void* memory) const { ::operator delete(memory, alignment); }
  };
  thread_local std::unique_ptr<void, Free> memory;
  thread_local size_t size = 0;
  if (size < bytes) {
    memory.reset();
    size = 0;
    const size_t whole = (bytes + kGemmAlignment - 1) / kGemmAlignment * kGemmAlignment;
    memory.reset(::operator new(whole, alignment));
    size = whole;
  }
  return memory.get();
}

Scratch::Scratch(const Ort::KernelContext& context, size_t bytes)
    : allocator_(context.GetAllocator(*Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault))),
      memory_(allocator_->Alloc(allocator_.get(), bytes + kGemmAlignment)) {
  if (memory_ == nullptr) throw std::bad_alloc();
}

uint32_t* Scratch::data() const {
  const auto address = reinterpret_cast<uintptr_t>(memory_);
  return reinterpret_cast<uint32_t*>((address + kGemmAlignment - 1) / kGemmAlignment * kGemmAlignment);
}

}  // namespace zrank
