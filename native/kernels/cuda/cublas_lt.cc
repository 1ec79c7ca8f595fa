#include "kernels/cuda/cublas_lt.h"

#include <algorithm>
#include <stdexcept>

#include "core/error.h"
#include "core/shared_library.h"
#include "kernels/cuda/driver_launcher.h"

namespace zrank::cuda {

namespace {

constexpr uint32_t kAlignment = 16;  // bytes; what a thread reads at once, and what copies of Hopper ask for

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

// What a product of one shape takes. cuBLASLt goes by columns: what lies as [rows, columns] row by row is its transpose
// there. So y^T = w x^T, where w is transposed once more.
struct CublasLt::Plan {
  void* handle;
  Owned desc, w, x, y;
  lt::Heuristic choice{};
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

void CublasLt::Multiply(const Product& product, const Workspace& workspace, void* stream) {
  if (product.rows == 0) return;
  for (const void* matrix : {product.x, product.w, static_cast<const void*>(product.y)})
    if (!IsAligned(matrix)) throw std::invalid_argument("a matrix does not begin at a multiple of 16 bytes");
  const auto plan = PlanOf(product, workspace, stream);
  void* const memory = plan->choice.workspace > 0 ? workspace(plan->choice.workspace) : nullptr;
  Require("cublasLtMatmul", Start(*plan, product, plan->choice, memory, stream));
}

int CublasLt::Start(const Plan& plan, const Product& product, const lt::Heuristic& choice, void* memory,
                    void* stream) const {
  const float beta = 0;
  return matmul_(plan.handle, plan.desc.value, &product.alpha, product.w, plan.w.value, product.x, plan.x.value, &beta,
                 product.y, plan.y.value, product.y, plan.y.value, &choice.algorithm, memory, choice.workspace, stream);
}

std::shared_ptr<const CublasLt::Plan> CublasLt::PlanOf(const Product& product, const Workspace& workspace,
                                                       void* stream) {
  const std::lock_guard lock(mutex_);
  Open();
  void* context = nullptr;
  RequireDriver("cuCtxGetCurrent", ctx_get_current_(&context), get_error_string_);
  const Shape shape{context, product.element, product.rows, product.columns, product.depth};
  if (const auto known = plans_.find(shape); known != plans_.end()) return known->second;
  void*& handle = handles_[context];
  if (handle == nullptr) Require("cublasLtCreate", create_(&handle));
  auto plan = MakePlan(handle, product, workspace, stream);
  if (known_.size() == kShapes) {
    plans_.erase(known_.front());
    known_.pop_front();
  }
  known_.push_back(shape);
  return plans_[shape] = std::move(plan);
}

std::shared_ptr<const CublasLt::Plan> CublasLt::MakePlan(void* handle, const Product& product,
                                                         const Workspace& workspace, void* stream) {
  const std::shared_ptr<Plan> plan(
      new Plan{handle, Owned(desc_destroy_), Owned(layout_destroy_), Owned(layout_destroy_), Owned(layout_destroy_)});
  Require("cublasLtMatmulDescCreate", desc_create_(&plan->desc.value, lt::kComputeFp32, lt::kFp32));
  const int32_t transposed = lt::kTransposed;
  Require("cublasLtMatmulDescSetAttribute", desc_set_(plan->desc.value, lt::kTransA, &transposed, sizeof(transposed)));
  const int type = product.element == Element::kFp16 ? lt::kFp16 : lt::kBf16;
  const auto lay_out = [&](Owned& layout, int64_t lines, int64_t length) {
    Require("cublasLtMatrixLayoutCreate",
            layout_create_(&layout.value, type, static_cast<uint64_t>(length), static_cast<uint64_t>(lines), length));
  };
  lay_out(plan->w, product.columns, product.depth);
  lay_out(plan->x, product.rows, product.depth);
  lay_out(plan->y, product.rows, product.columns);

  const std::vector<lt::Heuristic> candidates = Candidates(*plan);
  if (candidates.empty()) {
    throw Error(ErrorCode::kRunFailed, "cuBLAS has no algorithm for a product of " + std::to_string(product.rows) +
                                           " rows, " + std::to_string(product.columns) + " columns and depth " +
                                           std::to_string(product.depth));
  }
  const bool is_timed = product.rows >= kTimedRows && candidates.size() > 1;
  plan->choice = is_timed ? Fastest(candidates, *plan, product, workspace, stream) : candidates.front();
  return plan;
}

// The best first, as the heuristics guess.
std::vector<lt::Heuristic> CublasLt::Candidates(const Plan& plan) const {
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
          heuristic_(plan.handle, plan.desc.value, plan.w.value, plan.x.value, plan.y.value, plan.y.value,
                     preference.value, kCandidates, candidates.data(), &count));
  candidates.resize(static_cast<size_t>(count));
  std::erase_if(candidates, [](const lt::Heuristic& candidate) { return candidate.status != 0; });
  return candidates;
}

// Each once to warm up and once by the clock. The output is written again and again, always with the same.
lt::Heuristic CublasLt::Fastest(const std::vector<lt::Heuristic>& candidates, const Plan& plan, const Product& product,
                                const Workspace& workspace, void* stream) {
  const auto largest = std::ranges::max(candidates, {}, &lt::Heuristic::workspace);
  void* const memory = largest.workspace > 0 ? workspace(largest.workspace) : nullptr;
  Owned from(event_destroy_), to(event_destroy_);
  for (Owned* event : {&from, &to}) RequireDriver("cuEventCreate", event_create_(&event->value, 0), get_error_string_);
  const lt::Heuristic* fastest = nullptr;
  float least = 0;
  int failure = 0;
  for (const lt::Heuristic& candidate : candidates) {
    if (const int status = Start(plan, product, candidate, memory, stream); status != 0) {
      failure = status;
      continue;
    }
    RequireDriver("cuEventRecord", event_record_(from.value, stream), get_error_string_);
    Require("cublasLtMatmul", Start(plan, product, candidate, memory, stream));
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
