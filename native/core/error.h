#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace zrank {

// The codes of src/error.ts that native code reports; a test compares the two lists.
enum class ErrorCode {
  kAborted,
  kClosed,
  kQueueFull,
  kOnnxRuntimeNotFound,
  kOnnxRuntimeIncompatible,
  kDeviceUnavailable,
  kDeviceOutOfMemory,
  kSessionFailed,
  kRunFailed,
  kScoreNotFinite,
  kInternal,
};

std::string_view Name(ErrorCode code);

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// The one place that reads ONNX Runtime's message texts: what an exception of a run or of a session's creation means.
// Of a library that cannot be loaded the message keeps the loader's own words.
Error Classify(const std::exception& exception, ErrorCode otherwise);

}  // namespace zrank
