#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/cuda/multiplier.h"

namespace zrank::cuda {

// The types of cublasLt.h that zrank uses, whose ABI is that of CUDA 12 and 13
// (https://docs.nvidia.com/cuda/cublas: Using the cublasLt API). Handles, descriptors, layouts and preferences are
// pointers, cublasStatus_t and the enumerations ints.
namespace lt {

struct Algorithm {
  uint64_t data[8];
};
struct Heuristic {
  Algorithm algorithm;
  size_t workspace;
  int status;
  float waves;
  int reserved[4];
};
static_assert(sizeof(Heuristic) == 96);

inline constexpr int kFp32 = 0, kFp16 = 2, kBf16 = 14;                     // CUDA_R_32F, CUDA_R_16F, CUDA_R_16BF
inline constexpr int kComputeFp32 = 68;                                    // CUBLAS_COMPUTE_32F
inline constexpr int kTransposed = 1;                                      // CUBLAS_OP_T
inline constexpr int kTransA = 3;                                          // CUBLASLT_MATMUL_DESC_TRANSA
inline constexpr int kMaxWorkspace = 1, kAlignmentA = 5, kAlignmentD = 8;  // CUBLASLT_MATMUL_PREF_*; B and C between

}  // namespace lt

// Multiplies by cuBLASLt, which ONNX Runtime's CUDA provider has opened. For a large shape the candidates of its
// heuristics are timed where it is first met, and the fastest is kept. Safe to call from any thread. cuBLASLt must be
// there as long as this is.
class CublasLt : public Multiplier {
 public:
  // Candidates that are timed, and shapes whose plan is kept: the oldest is forgotten.
  static constexpr int kCandidates = 8;
  static constexpr size_t kShapes = 512;
  // With fewer rows somebody waits for a small batch, and the heuristics' first is taken.
  static constexpr int64_t kTimedRows = 1024;
  // Bytes; what NVIDIA advises for Hopper.
  static constexpr size_t kMaxWorkspace = 32 << 20;

  // The libraries are opened at the first product: the first of these that the process has, else the first.
  explicit CublasLt(std::vector<std::string> libraries = {"libcublasLt.so.13", "libcublasLt.so.12"},
                    std::string driver = "libcuda.so.1")
      : libraries_(std::move(libraries)), driver_(std::move(driver)) {}

  // Throws an Error: DEVICE_UNAVAILABLE where there is no such library, RUN_FAILED where it refuses, by which
  // core/error.cc knows what it means: "cuBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; in cublasLtMatmul".
  void Multiply(const Product& product, const Workspace& workspace, void* stream) override;

 private:
  struct Plan;
  using Shape = std::tuple<void*, Element, int64_t, int64_t, int64_t>;  // context, rows, columns, depth

  void Open();
  // That of the product's shape, made where it is first met.
  std::shared_ptr<const Plan> PlanOf(const Product& product, const Workspace& workspace, void* stream);
  std::shared_ptr<const Plan> MakePlan(void* handle, const Product& product, const Workspace& workspace, void* stream);
  std::vector<lt::Heuristic> Candidates(const Plan& plan) const;
  lt::Heuristic Fastest(const std::vector<lt::Heuristic>& candidates, const Plan& plan, const Product& product,
                        const Workspace& workspace, void* stream);
  int Start(const Plan& plan, const Product& product, const lt::Heuristic& choice, void* memory, void* stream) const;
  void Require(const char* name, int status) const;

  const std::vector<std::string> libraries_;
  const std::string driver_;
  std::mutex mutex_;
  bool is_open_ = false;
  std::map<void*, void*> handles_;                      // by context, for as long as the process lives
  std::map<Shape, std::shared_ptr<const Plan>> plans_;  // one that is forgotten may be in use
  std::deque<Shape> known_;                             // the oldest first

  int (*create_)(void** handle);
  const char* (*status_name_)(int status);
  int (*desc_create_)(void** desc, int compute, int scale);
  int (*desc_set_)(void* desc, int attribute, const void* value, size_t bytes);
  int (*desc_destroy_)(void* desc);
  int (*layout_create_)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
  int (*layout_destroy_)(void* layout);
  int (*preference_create_)(void** preference);
  int (*preference_set_)(void* preference, int attribute, const void* value, size_t bytes);
  int (*preference_destroy_)(void* preference);
  int (*heuristic_)(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference, int asked,
                    lt::Heuristic* found, int* count);
  int (*matmul_)(void* handle, void* desc, const void* alpha, const void* a, void* a_layout, const void* b,
                 void* b_layout, const void* beta, const void* c, void* c_layout, void* d, void* d_layout,
                 const lt::Algorithm* algorithm, void* workspace, size_t workspace_bytes, void* stream);
  // Of cuda.h, as in DriverLauncher; CUevent is a pointer.
  int (*get_error_string_)(int error, const char** text);
  int (*ctx_get_current_)(void** context);
  int (*event_create_)(void** event, unsigned flags);
  int (*event_record_)(void* event, void* stream);
  int (*event_synchronize_)(void* event);
  int (*event_elapsed_time_)(float* milliseconds, void* from, void* to);
  int (*event_destroy_)(void* event);
};

}  // namespace zrank::cuda
