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

// As ONNX Runtime 1.30's sources print them.
TEST(no_memory_has_many_names) {
  for (const char* text : {
           "Failed to allocate memory for requested buffer of size 2147483648",
           "CUDA failure 2: out of memory ; GPU=0 ; hostname=h ; file=cuda_allocator.cc ; line=47",
           "CUDA error cudaErrorMemoryAllocation:out of memory",
           "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=h",
           "CUBLAS failure 1: CUBLAS_STATUS_NOT_INITIALIZED ; GPU=0 ; hostname=h",
           "Available memory of 1048576 is smaller than requested bytes of 4194304",
           "allocator.cc AllocateHelper Allocation failed.",
       }) {
    CHECK_EQ(CodeOf(std::runtime_error(text)), "DEVICE_OUT_OF_MEMORY");
  }
  CHECK_EQ(CodeOf(std::runtime_error("CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED")), "RUN_FAILED");
}

TEST(after_some_errors_of_cuda_only_a_new_process_helps) {
  const Error error =
      Classify(std::runtime_error(
                   "gather_impl.cu:26 CUDA failure 700: an illegal memory access was encountered ; GPU=0 ; host=h"),
               ErrorCode::kRunFailed);
  CHECK_EQ(std::string(Word(error.code())), "DEVICE_UNAVAILABLE");
  CHECK_EQ(std::string(error.what()),
           "CUDA failure 700: an illegal memory access was encountered; nothing runs on CUDA in this process any more: "
           "restart the process");
  CHECK_EQ(CodeOf(std::runtime_error("CUDA error cudaErrorMisalignedAddress:misaligned address")),
           "DEVICE_UNAVAILABLE");
  CHECK_EQ(CodeOf(std::runtime_error("CUDA failure 719: unspecified launch failure ; GPU=1")), "DEVICE_UNAVAILABLE");
  // That one is over when the call is.
  CHECK_EQ(CodeOf(std::runtime_error("CUDA failure 400: invalid resource handle ; GPU=0")), "RUN_FAILED");
  CHECK_EQ(CodeOf(std::runtime_error("CUDA failure 7000: no such error")), "RUN_FAILED");
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
