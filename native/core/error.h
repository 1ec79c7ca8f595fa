#pragma once

#include <stdexcept>
#include <string>

#include "core/contract.h"

namespace zrank {

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

// What an exception means; the one place that reads ONNX Runtime's message texts. Of a library that cannot be loaded
// the message keeps the loader's own words.
Error Classify(const std::exception& exception, ErrorCode otherwise);

}  // namespace zrank
