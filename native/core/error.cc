#include "core/error.h"

namespace zrank {

std::string_view Name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kAborted: return "ABORTED";
    case ErrorCode::kClosed: return "CLOSED";
    case ErrorCode::kQueueFull: return "QUEUE_FULL";
    case ErrorCode::kOnnxRuntimeNotFound: return "ONNXRUNTIME_NOT_FOUND";
    case ErrorCode::kOnnxRuntimeIncompatible: return "ONNXRUNTIME_INCOMPATIBLE";
    case ErrorCode::kDeviceUnavailable: return "DEVICE_UNAVAILABLE";
    case ErrorCode::kDeviceOutOfMemory: return "DEVICE_OUT_OF_MEMORY";
    case ErrorCode::kSessionFailed: return "SESSION_FAILED";
    case ErrorCode::kRunFailed: return "RUN_FAILED";
    case ErrorCode::kScoreNotFinite: return "SCORE_NOT_FINITE";
    case ErrorCode::kInternal: return "INTERNAL";
  }
  return "INTERNAL";
}

Error Classify(const std::exception& exception, ErrorCode otherwise) {
  if (const auto* error = dynamic_cast<const Error*>(&exception)) return *error;
  const std::string text = exception.what();
  const auto contains = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  if (contains("Failed to allocate memory") || contains("out of memory") || contains("bad_alloc")) {
    return Error(ErrorCode::kDeviceOutOfMemory, text);
  }
  if (contains("terminate flag")) return Error(ErrorCode::kAborted, text);
  constexpr std::string_view loader = "with error: ";
  if (const size_t at = text.find(loader); at != std::string::npos) {
    const size_t end = text.find_last_not_of('\n');
    return Error(ErrorCode::kDeviceUnavailable, text.substr(at + loader.size(), end + 1 - at - loader.size()));
  }
  return Error(otherwise, text);
}

}  // namespace zrank
