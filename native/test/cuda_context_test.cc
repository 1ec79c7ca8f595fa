// Whose GPU a thread works on. A double: NVIDIA's driver (test/fixtures/libcuda.c), with two GPUs.

#include <string>
#include <thread>

#include "core/cuda_driver.h"
#include "core/error.h"
#include "core/shared_library.h"
#include "test/check.h"

namespace zrank {
namespace {

constexpr const char* kDriver = ZRANK_CUDA_DOUBLE;

int Ask(const char* question) {
  const SharedLibrary library(kDriver, SharedLibrary::Symbols::kLocal, ErrorCode::kInternal);
  return library.Find<int()>(question, ErrorCode::kInternal)();
}

TEST(a_thread_works_on_the_gpu_whose_context_it_made_current) {
  {
    const CudaContext context(1, kDriver);
    CHECK_EQ(Ask("contextsHeld"), 1);
    std::thread([&] {
      CHECK_EQ(Ask("currentDevice"), -1);
      context.MakeCurrent();
      CHECK_EQ(Ask("currentDevice"), 1);
    }).join();
    CHECK_EQ(Ask("currentDevice"), -1);
  }
  CHECK_EQ(Ask("contextsHeld"), 0);
}

TEST(threads_that_wait_for_a_gpu_sleep) {
  const CudaContext context(1, kDriver);
  const SharedLibrary library(kDriver, SharedLibrary::Symbols::kLocal, ErrorCode::kInternal);
  // CU_CTX_SCHED_BLOCKING_SYNC
  CHECK_EQ(library.Find<unsigned(int)>("flagsOf", ErrorCode::kInternal)(1), 4u);
}

TEST(a_gpu_that_is_not_there_has_no_context) {
  std::string message;
  try {
    const CudaContext context(2, kDriver);
  } catch (const Error& error) {
    message = error.what();
  }
  CHECK_EQ(message, "cuDeviceGet: CUDA_ERROR_INVALID_DEVICE (101), invalid device ordinal");
}

}  // namespace
}  // namespace zrank
