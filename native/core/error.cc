#include "core/error.h"

namespace zrank {

std::string_view Name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kAborted:
      return "ABORTED";
    case ErrorCode::kClosed:
      return "CLOSED";
    case ErrorCode::kQueueFull:
      return "QUEUE_FULL";
    case ErrorCode::kOnnxRuntimeNotFound:
      return "ONNXRUNTIME_NOT_FOUND";
    case ErrorCode::kOnnxRuntimeIncompatible:
      return "ONNXRUNTIME_INCOMPATIBLE";
    case ErrorCode::kDeviceUnavailable:
      return "DEVICE_UNAVAILABLE";
    case ErrorCode::kDeviceOutOfMemory:
      return "DEVICE_OUT_OF_MEMORY";
    case ErrorCode::kSessionFailed:
      return "SESSION_FAILED";
    case ErrorCode::kRunFailed:
      return "RUN_FAILED";
    case ErrorCode::kScoreNotFinite:
      return "SCORE_NOT_FINITE";
    case ErrorCode::kInternal:
      return "INTERNAL";
  }
  return "INTERNAL";
}

namespace {

// The text from `begin` to the next `end`.
std::string Part(const std::string& text, size_t begin, std::string_view end) {
  return text.substr(begin, text.find(end, begin) - begin);
}

}  // namespace

Error Classify(const std::exception& exception, ErrorCode otherwise) {
  if (const auto* error = dynamic_cast<const Error*>(&exception)) return *error;
  const std::string text = exception.what();
  const auto contains = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  if (contains("Failed to allocate memory") || contains("out of memory") || contains("bad_alloc")) {
    return Error(ErrorCode::kDeviceOutOfMemory, text);
  }
  if (contains("terminate flag")) return Error(ErrorCode::kAborted, text);
  // Of a device's failure the essence: the loader's words, the CUDA error, what follows the condition of an assertion.
  if (const size_t at = text.find("with error: "); at != std::string::npos) {
    return Error(ErrorCode::kDeviceUnavailable, Part(text, at + 12, "\n"));
  }
  if (otherwise == ErrorCode::kDeviceUnavailable) {
    if (const size_t at = text.find("CUDA failure "); at != std::string::npos)
      return Error(otherwise, Part(text, at, " ; "));
    if (const size_t at = text.rfind(" was false. "); at != std::string::npos)
      return Error(otherwise, Part(text, at + 12, "\n"));
  }
  return Error(otherwise, text);
}

}  // namespace zrank
