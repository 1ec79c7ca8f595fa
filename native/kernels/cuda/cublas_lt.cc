#include "kernels/cuda/cublas_lt.h"

#include <algorithm>
#include <stdexcept>

#include "core/error.h"
#include "core/shared_library.h"
#include "kernels/cuda/driver_launcher.h"

namespace zrank::cuda {

namespace {

constexpr uint32_t kAlignment = 16;  // bytes; what a thread reads at once, and what copies of Hopper ask for
constexpr int kElementBytes = 2;

// Something of cuBLASLt's, or an event, destroyed at the end.
struct Owned {
  void* value = nullptr;
  int (*destroy)(void*);

  explicit Owned(int (*destroy)(void*)) : destroy(destroy) {}
  ~Owned() {
    if (value != nullptr) destroy(value);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
};

bool IsAligned(const void* address) { return reinterpret_cast<uintptr_t>(address) % kAlignment == 0; }

}  // namespace

// cuBLASLt goes by columns: what lies as [rows, columns] row by row is its transpose there. So y^T = w x^T, where w is
// transposed once more.
struct CublasLt::Problem {
  Owned desc, w, x, y;
  void* context = nullptr;
  void* handle = nullptr;
  int batches = 1;
};

void CublasLt::Require(const char* name, int status) const {
  if (status == 0) return;
  throw Error(ErrorCode::kRunFailed,
              "cuBLAS failure " + std::to_string(status) + ": " + status_name_(status) + " ; in " + name);
}

void CublasLt::Open() {
  if (is_open_) return;
  const auto loaded =
      std::ranges::find_if(libraries_, [](const auto& name) { return SharedLibrary::PathOfLoaded(name).has_value(); });
  const std::string& name = loaded == libraries_.end() ? libraries_.front() : *loaded;
  const SharedLibrary library(name, SharedLibrary::Symbols::kLocal, ErrorCode::kDeviceUnavailable);
  library.Find("cublasLtCreate", create_);
  library.Find("cublasLtGetStatusName", status_name_);
  library.Find("cublasLtMatmulDescCreate", desc_create_);
  library.Find("cublasLtMatmulDescSetAttribute", desc_set_);
  library.Find("cublasLtMatmulDescDestroy", desc_destroy_);
  library.Find("cublasLtMatrixLayoutCreate", layout_create_);
  library.Find("cublasLtMatrixLayoutSetAttribute", layout_set_);
  library.Find("cublasLtMatrixLayoutDestroy", layout_destroy_);
  library.Find("cublasLtMatmulPreferenceCreate", preference_create_);
  library.Find("cublasLtMatmulPreferenceSetAttribute", preference_set_);
  library.Find("cublasLtMatmulPreferenceDestroy", preference_destroy_);
  library.Find("cublasLtMatmulAlgoGetHeuristic", heuristic_);
  library.Find("cublasLtMatmul", matmul_);
  const SharedLibrary driver(driver_, SharedLibrary::Symbols::kLocal, ErrorCode::kDeviceUnavailable);
  driver.Find("cuGetErrorString", get_error_string_);
  driver.Find("cuCtxGetCurrent", ctx_get_current_);
  driver.Find("cuEventCreate", event_create_);
  driver.Find("cuEventRecord", event_record_);
  driver.Find("cuEventSynchronize", event_synchronize_);
  driver.Find("cuEventElapsedTime", event_elapsed_time_);
  driver.Find("cuEventDestroy_v2", event_destroy_);
  is_open_ = true;
}

void CublasLt::Multiply(const Products& products, const Workspace& workspace, void* stream) {
  if (products.rows == 0) return;
  const bool is_pair = products.w[1] != nullptr;
  for (size_t i = 0; i < (is_pair ? 2 : 1); ++i)
    if (!IsAligned(products.x) || !IsAligned(products.w[i]) || !IsAligned(products.y[i]))
      throw std::invalid_argument("a matrix does not begin at a multiple of 16 bytes");
  if (!is_pair) return Run(products, 1, {}, workspace, stream);
  const auto distance = [](const void* from, const void* to) {
    return static_cast<int64_t>(reinterpret_cast<intptr_t>(to) - reinterpret_cast<intptr_t>(from)) / kElementBytes;
  };
  const Strides strides{distance(products.w[0], products.w[1]), distance(products.y[0], products.y[1])};
  Products ordered = products;
  if (strides.w > 0 && strides.y > 0) return Run(ordered, 2, strides, workspace, stream);
  std::swap(ordered.w[0], ordered.w[1]);
  std::swap(ordered.y[0], ordered.y[1]);
  // The copies that Hopper's kernels begin with know of no steps backwards.
  if (strides.w < 0 && strides.y < 0) return Run(ordered, 2, {-strides.w, -strides.y}, workspace, stream);
  Run(products, 1, {}, workspace, stream);
  Run(ordered, 1, {}, workspace, stream);
}

void CublasLt::Run(const Products& products, int batches, const Strides& strides, const Workspace& workspace,
                   void* stream) {
  std::unique_lock lock(mutex_);
  Open();
  Problem problem{Owned(desc_destroy_), Owned(layout_destroy_), Owned(layout_destroy_), Owned(layout_destroy_)};
  problem.batches = batches;
  RequireDriver("cuCtxGetCurrent", ctx_get_current_(&problem.context), get_error_string_);
  void*& handle = handles_[problem.context];
  if (handle == nullptr) Require("cublasLtCreate", create_(&handle));
  problem.handle = handle;

  Require("cublasLtMatmulDescCreate", desc_create_(&problem.desc.value, lt::kComputeFp32, lt::kFp32));
  const int32_t transposed = lt::kTransposed;
  Require("cublasLtMatmulDescSetAttribute",
          desc_set_(problem.desc.value, lt::kTransA, &transposed, sizeof(transposed)));
  const int type = products.element == Element::kFp16 ? lt::kFp16 : lt::kBf16;
  const auto lay_out = [&](Owned& layout, int64_t lines, int64_t length, int64_t stride) {
    Require("cublasLtMatrixLayoutCreate",
            layout_create_(&layout.value, type, static_cast<uint64_t>(length), static_cast<uint64_t>(lines), length));
    const int32_t count = batches;
    Require("cublasLtMatrixLayoutSetAttribute", layout_set_(layout.value, lt::kBatchCount, &count, sizeof(count)));
    Require("cublasLtMatrixLayoutSetAttribute", layout_set_(layout.value, lt::kBatchStride, &stride, sizeof(stride)));
  };
  lay_out(problem.w, products.columns, products.depth, strides.w);
  lay_out(problem.x, products.rows, products.depth, 0);
  lay_out(problem.y, products.rows, products.columns, strides.y);

  const lt::Heuristic choice = Choose(problem, products, workspace, stream);
  lock.unlock();
  void* const memory = choice.workspace > 0 ? workspace(choice.workspace) : nullptr;
  Require("cublasLtMatmul", Start(problem, products, choice, memory, stream));
}

int CublasLt::Start(const Problem& problem, const Products& products, const lt::Heuristic& choice, void* memory,
                    void* stream) const {
  const float beta = 0;
  return matmul_(problem.handle, problem.desc.value, &products.alpha, products.w[0], problem.w.value, products.x,
                 problem.x.value, &beta, products.y[0], problem.y.value, products.y[0], problem.y.value,
                 &choice.algorithm, memory, choice.workspace, stream);
}

lt::Heuristic CublasLt::Choose(const Problem& problem, const Products& products, const Workspace& workspace,
                               void* stream) {
  const Shape shape{problem.context,  products.element, products.rows,
                    products.columns, products.depth,   problem.batches};
  if (const auto known = choices_.find(shape); known != choices_.end()) return known->second;

  Owned preference(preference_destroy_);
  Require("cublasLtMatmulPreferenceCreate", preference_create_(&preference.value));
  const uint64_t most = kMaxWorkspace;
  Require("cublasLtMatmulPreferenceSetAttribute",
          preference_set_(preference.value, lt::kMaxWorkspace, &most, sizeof(most)));
  for (int matrix = lt::kAlignmentA; matrix <= lt::kAlignmentD; ++matrix)
    Require("cublasLtMatmulPreferenceSetAttribute",
            preference_set_(preference.value, matrix, &kAlignment, sizeof(kAlignment)));
  std::vector<lt::Heuristic> candidates(kCandidates);
  int count = 0;
  Require("cublasLtMatmulAlgoGetHeuristic",
          heuristic_(problem.handle, problem.desc.value, problem.w.value, problem.x.value, problem.y.value,
                     problem.y.value, preference.value, kCandidates, candidates.data(), &count));
  candidates.resize(static_cast<size_t>(count));
  std::erase_if(candidates, [](const lt::Heuristic& candidate) { return candidate.status != 0; });
  if (candidates.empty()) {
    throw Error(ErrorCode::kRunFailed, "cuBLAS has no algorithm for a product of " + std::to_string(products.rows) +
                                           " rows, " + std::to_string(products.columns) + " columns and depth " +
                                           std::to_string(products.depth));
  }
  const bool is_timed = products.rows >= kTimedRows && candidates.size() > 1;
  const lt::Heuristic choice =
      is_timed ? Fastest(candidates, problem, products, workspace, stream) : candidates.front();
  if (chosen_.size() == kShapes) {
    choices_.erase(chosen_.front());
    chosen_.pop_front();
  }
  chosen_.push_back(shape);
  return choices_[shape] = choice;
}

// Each once to warm up and once by the clock. The output is written again and again, always with the same.
lt::Heuristic CublasLt::Fastest(const std::vector<lt::Heuristic>& candidates, const Problem& problem,
                                const Products& products, const Workspace& workspace, void* stream) {
  const auto largest = std::ranges::max(candidates, {}, &lt::Heuristic::workspace);
  void* const memory = largest.workspace > 0 ? workspace(largest.workspace) : nullptr;
  Owned from(event_destroy_), to(event_destroy_);
  for (Owned* event : {&from, &to}) RequireDriver("cuEventCreate", event_create_(&event->value, 0), get_error_string_);
  const lt::Heuristic* fastest = nullptr;
  float least = 0;
  int failure = 0;
  for (const lt::Heuristic& candidate : candidates) {
    if (const int status = Start(problem, products, candidate, memory, stream); status != 0) {
      failure = status;
      continue;
    }
    RequireDriver("cuEventRecord", event_record_(from.value, stream), get_error_string_);
    Require("cublasLtMatmul", Start(problem, products, candidate, memory, stream));
    RequireDriver("cuEventRecord", event_record_(to.value, stream), get_error_string_);
    RequireDriver("cuEventSynchronize", event_synchronize_(to.value), get_error_string_);
    float milliseconds = 0;
    RequireDriver("cuEventElapsedTime", event_elapsed_time_(&milliseconds, from.value, to.value), get_error_string_);
    if (fastest != nullptr && milliseconds >= least) continue;
    least = milliseconds;
    fastest = &candidate;
  }
  if (fastest == nullptr) Require("cublasLtMatmul", failure);
  return *fastest;
}

}  // namespace zrank::cuda
