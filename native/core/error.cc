#include "core/error.h"

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <string_view>

namespace zrank {

namespace {

// The text from `begin` to the next `end`.
std::string Part(const std::string& text, size_t begin, std::string_view end) {
  return text.substr(begin, text.find(end, begin) - begin);
}

bool ContainsAny(const std::string& text, std::span<const std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return text.find(part) != std::string::npos; });
}

// What ONNX Runtime 1.30, its arena, cuBLAS and CUDA say where the device has no memory. cublasCreate without memory is
// "not initialized".
constexpr std::array<std::string_view, 7> kOutOfMemory{"Failed to allocate memory",
                                                       "out of memory",
                                                       "bad_alloc",
                                                       "CUBLAS_STATUS_ALLOC_FAILED",
                                                       "CUBLAS_STATUS_NOT_INITIALIZED",
                                                       "is smaller than requested bytes",
                                                       "Allocation failed"};

// Errors after which every call of CUDA in the process fails: a kernel's illegal address, assertion, hardware stack
// error, illegal instruction, misaligned address, address space or program counter, and launch failure
// (https://docs.nvidia.com/cuda/cuda-driver-api: CUresult).
constexpr std::array<std::string_view, 16> kSticky{"CUDA failure 700:",           "CUDA failure 710:",
                                                   "CUDA failure 714:",           "CUDA failure 715:",
                                                   "CUDA failure 716:",           "CUDA failure 717:",
                                                   "CUDA failure 718:",           "CUDA failure 719:",
                                                   "cudaErrorIllegalAddress",     "cudaErrorAssert",
                                                   "cudaErrorHardwareStackError", "cudaErrorIllegalInstruction",
                                                   "cudaErrorMisalignedAddress",  "cudaErrorInvalidAddressSpace",
                                                   "cudaErrorInvalidPc",          "cudaErrorLaunchFailure"};

// Of a failed call of CUDA what it says, without the place in ONNX Runtime's sources.
std::string CudaFailure(const std::string& text) {
  const size_t at = text.find("CUDA failure ");
  return at == std::string::npos ? text.substr(0, text.find('\n')) : Part(text, at, " ; ");
}

}  // namespace

Error Classify(const std::exception& exception, ErrorCode otherwise) {
  if (const auto* error = dynamic_cast<const Error*>(&exception)) return *error;
  if (dynamic_cast<const std::bad_alloc*>(&exception)) return Error(ErrorCode::kOutOfMemory, "no memory is left");
  const std::string text = exception.what();
  const auto contains = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  if (ContainsAny(text, kOutOfMemory)) return Error(ErrorCode::kDeviceOutOfMemory, text);
  if (ContainsAny(text, kSticky)) {
    return Error(ErrorCode::kDeviceUnavailable,
                 CudaFailure(text) + "; nothing runs on CUDA in this process any more: restart the process");
  }
  if (contains("terminate flag")) return Error(ErrorCode::kAborted, text);
  // Of a device's failure the essence: the loader's words, the CUDA error, what follows the condition of an assertion.
  if (const size_t at = text.find("with error: "); at != std::string::npos) {
    return Error(ErrorCode::kDeviceUnavailable, Part(text, at + 12, "\n"));
  }
  if (otherwise == ErrorCode::kDeviceUnavailable) {
    if (contains("CUDA failure ")) return Error(otherwise, CudaFailure(text));
    if (const size_t at = text.rfind(" was false. "); at != std::string::npos)
      return Error(otherwise, Part(text, at + 12, "\n"));
  }
  return Error(otherwise, text);
}

}  // namespace zrank
