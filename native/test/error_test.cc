// What errors are called, and the words that name nothing. Nothing here needs ONNX Runtime.

#include "core/error.h"

#include <new>

#include "core/words.h"
#include "test/check.h"

namespace zrank {
namespace {

std::string CodeOf(const std::exception& exception, ErrorCode otherwise = ErrorCode::kRunFailed) {
  return Word(Classify(exception, otherwise).code());
}

TEST(an_exception_is_known_by_its_type_or_text) {
  CHECK_EQ(CodeOf(std::bad_alloc()), "OUT_OF_MEMORY");
  CHECK_EQ(CodeOf(std::runtime_error("CUDA out of memory")), "DEVICE_OUT_OF_MEMORY");
  CHECK_EQ(CodeOf(std::runtime_error("Exiting due to terminate flag")), "ABORTED");
  CHECK_EQ(CodeOf(std::runtime_error("anything")), "RUN_FAILED");
  CHECK_EQ(CodeOf(std::runtime_error("anything"), ErrorCode::kInternal), "INTERNAL");
  CHECK_EQ(CodeOf(Error(ErrorCode::kQueueFull, "out of memory")), "QUEUE_FULL");
}

template <typename Enum>
std::string Unknown(const std::string& word) {
  try {
    Parse<Enum>(word, "such thing");
    return "none";
  } catch (const Error& error) {
    return std::string(Word(error.code())) + ": " + error.what();
  }
}

TEST(a_word_that_names_nothing_is_an_error) {
  CHECK(Parse<DeviceKind>("webgpu", "device") == DeviceKind::kWebGpu);
  CHECK(Parse<Pooling>("lasttoken", "pooling") == Pooling::kLastToken);
  CHECK_EQ(Unknown<DeviceKind>("cuda:0"), "INTERNAL: there is no such thing \"cuda:0\"");
  CHECK_EQ(Unknown<ModelKind>(""), "INTERNAL: there is no such thing \"\"");
  CHECK_EQ(Unknown<Arithmetic>("fp16"), "INTERNAL: there is no such thing \"fp16\"");
  CHECK_EQ(Unknown<Pooling>("median"), "INTERNAL: there is no such thing \"median\"");
}

}  // namespace
}  // namespace zrank
