#include "core/error.h"

#include <new>
#include <string_view>

namespace zrank {

namespace {

// The text from `begin` to the next `end`.
std::string Part(const std::string& text, size_t begin, std::string_view end) {
  return text.substr(begin, text.find(end, begin) - begin);
}

}  // namespace

Error Classify(const std::exception& exception, ErrorCode otherwise) {
  if (const auto* error = dynamic_cast<const Error*>(&exception)) return *error;
  if (dynamic_cast<const std::bad_alloc*>(&exception)) return Error(ErrorCode::kOutOfMemory, "no memory is left");
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
