#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "core/team.h"
#include "kernels/gemm.h"

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

// What zrank's operators have in common.

namespace zrank {

// An input of at least two dimensions; one of fewer is led by ones. Null data where an optional one is left out.
struct Tensor {
  const void* data = nullptr;
  std::vector<int64_t> shape;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;

  const float* floats() const { return static_cast<const float*>(data); }
};
Tensor Input(const Ort::KernelContext& context, size_t index);

// The attribute `arithmetic` of a node. Throws where the processor has no kernel for it.
Arithmetic ArithmeticOf(const OrtKernelInfo* info);

// Scratch memory of this thread, aligned to kGemmAlignment, kept for the next call. Threads of ONNX Runtime's pool and
// the workers live about as long as the model.
void* Workspace(size_t bytes);

// Memory from the session's arena for the time of one call.
class Scratch {
 public:
  Scratch(const Ort::KernelContext& context, size_t bytes);
  ~Scratch() { allocator_->Free(allocator_.get(), memory_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  uint32_t* data() const;  // aligned to kGemmAlignment

 private:
  // A kernel's allocator is its own reference to the arena; one that is kept keeps the arena of a closed session.
  struct Release {
    void operator()(OrtAllocator* allocator) const { Ort::GetApi().ReleaseAllocator(allocator); }
  };
  const std::unique_ptr<OrtAllocator, Release> allocator_;
  void* const memory_;
};

// What is written before Give() is there for who has taken from the same place afterwards. ONNX Runtime's pool sees to
// it; ThreadSanitizer does not see the pool, which is not built with it, and has to be told.
inline void Give([[maybe_unused]] void* place) {
#ifdef __SANITIZE_THREAD__
  __tsan_release(place);
#endif
}
inline void Take([[maybe_unused]] void* place) {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(place);
#endif
}

// Runs task(0) to task(count - 1) on this thread and those of its team, or of ONNX Runtime's pool where it has none,
// and waits for them.
template <typename Task>
void ParallelFor(const Ort::KernelContext& context, size_t count, const Task& task) {
  if (Team* team = Team::Current()) return team->ParallelFor(count, task);
  struct Call {
    const Task& task;
    char started{}, done{};
  } call{task};
  Give(&call.started);
  const auto run = [](void* data, size_t index) {
    auto& call = *static_cast<Call*>(data);
    Take(&call.started);
    call.task(index);
    Give(&call.done);
  };
  context.ParallelFor(run, count, count, &call);
  Take(&call.done);
}

// Exceptions as ONNX Runtime's statuses.
template <typename Function>
OrtStatusPtr Guarded(Function&& function) {
  try {
    function();
    return nullptr;
  } catch (const std::exception& exception) {
    return Ort::Status(exception.what(), ORT_FAIL).release();
  }
}

}  // namespace zrank
