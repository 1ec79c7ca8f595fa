// Arithmetic with denormal numbers, on this processor and in the real ONNX Runtime.

#include "core/denormals.h"

#include <atomic>
#include <limits>
#include <thread>
#include <vector>

#include "core/ort_runtime.h"
#include "core/session.h"
#include "core/team.h"
#include "test/check.h"
#include "test/onnx.h"

namespace zrank {
namespace {

// A denormal number times one, computed when this runs.
float Product() {
  volatile float denormal = std::numeric_limits<float>::min() / 8;
  volatile float one = 1;
  return denormal * one;
}

TEST(denormals_are_zero_while_a_scope_lives) {
  CHECK(Product() > 0);
  {
    const FlushDenormals scope;
    CHECK_EQ(Product(), 0.0F);
    {
      const FlushDenormals inner;
    }
    CHECK_EQ(Product(), 0.0F);
  }
  CHECK(Product() > 0);
}

TEST(denormals_are_zero_in_a_team_s_tasks_on_any_thread) {
  Team team;
  std::atomic<bool> done{false};
  std::thread helper([&] {
    while (!done) team.Help();
    CHECK(Product() > 0);
  });
  std::vector<float> products(1000, -1.0F);
  team.ParallelFor(products.size(), [&](size_t index) { products[index] = Product(); });
  done = true;
  helper.join();
  CHECK_EQ(products, std::vector<float>(products.size(), 0.0F));
}

TEST(denormals_are_zero_in_onnx_runtime_and_not_behind_it) {
  using namespace test;
  constexpr int kFloat = 1;
  const std::string node = Bytes(1, "x") + Bytes(1, "x") + Bytes(2, "y") + Bytes(4, "Add");
  const std::string graph = Bytes(1, node) + Bytes(2, "g") + ValueInfo(11, "x", kFloat) + ValueInfo(12, "y", kFloat);
  OrtRuntime::Open(OnnxRuntime());
  SessionSpec spec;
  spec.graph = Integer(1, 8) + Bytes(7, graph) + Bytes(8, Integer(2, 17));
  Session session(spec);
  CHECK(Product() > 0);

  std::vector<float> x(64, std::numeric_limits<float>::min() / 8);
  const int64_t shape[] = {64};
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  const Ort::Value input = Ort::Value::CreateTensor<float>(memory, x.data(), x.size(), shape, 1);
  const char *from = "x", *to = "y";
  const auto y = session.Run(Ort::RunOptions(), {&from, 1}, {&input, 1}, {&to, 1});
  CHECK_EQ(y[0].GetTensorData<float>()[63], 0.0F);
  CHECK(Product() > 0);
}

}  // namespace
}  // namespace zrank
