// Inputs and output of a run as a GPU's are bound, in a session on the CPU: what memory is to ONNX Runtime does not
// depend on the provider. Real: ONNX Runtime (named by ZRANK_ONNXRUNTIME) and its GroupQueryAttention. A double: pinned
// memory is the CPU's.

#include "core/gpu_slot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "core/device.h"
#include "core/ort_runtime.h"
#include "test/check.h"
#include "test/onnx.h"

namespace zrank {
namespace {

using test::Attribute;
using test::Bytes;
using test::Integer;
using test::ValueInfo;

constexpr int64_t kInt32 = 6, kInt64 = 7;
constexpr int64_t kLength = 3, kDim = 8;

// rows = GroupQueryAttention(x, x, x) of one head, where x is the input cast to fp32; a number a row.
std::string Model() {
  const auto node = [](const std::string& type, const std::vector<std::string>& inputs,
                       const std::vector<std::string>& outputs, const std::string& rest = {}) {
    std::string bytes;
    for (const std::string& input : inputs) bytes += Bytes(1, input);
    for (const std::string& output : outputs) bytes += Bytes(2, output);
    return Bytes(1, bytes + Bytes(4, type) + rest);
  };
  const std::string graph =
      node("Cast", {"values"}, {"x"}, Attribute("to", int64_t{1})) +
      node("GroupQueryAttention", {"x", "x", "x", "", "", "seqlens_k", "total_sequence_length"},
           {"attended", "keys", "present"},
           Bytes(7, "com.microsoft") + Attribute("num_heads", int64_t{1}) + Attribute("kv_num_heads", int64_t{1})) +
      node("Reshape", {"attended", "shape"}, {"rows"}) + Bytes(2, "graph") + ValueInfo(11, "values", kInt32) +
      ValueInfo(11, "seqlens_k", kInt32) + ValueInfo(11, "total_sequence_length", kInt32) +
      ValueInfo(11, "shape", kInt64) + ValueInfo(12, "rows", 1);
  return Integer(1, 10) + Bytes(7, graph) + Bytes(8, Integer(2, 21)) +
         Bytes(8, Bytes(1, "com.microsoft") + Integer(2, 1));
}

struct Fixture {
  Ort::Env& env = OrtRuntime::Open(test::OnnxRuntime()).env();  // before anything that it makes
  Ort::Session session{nullptr};
  std::vector<int32_t> values = std::vector<int32_t>(kLength * kDim);
  std::vector<int32_t> last{kLength - 1}, total{kLength};
  std::vector<int64_t> shape{-1, 1};

  Fixture() {
    const std::string model = Model();
    session = Ort::Session(env, model.data(), model.size(), Ort::SessionOptions());
    std::iota(values.begin(), values.end(), 1);
  }
  std::vector<GraphInput> Inputs() const {
    return {GraphInput("values", values, {1, kLength, kDim}), GraphInput("seqlens_k", last, {1}),
            GraphInput("total_sequence_length", total, {1}), GraphInput("shape", shape, {2})};
  }
  // The rows, where total_sequence_length lies in memory of that label; its error otherwise.
  std::string Run(const Ort::MemoryInfo& label) {
    Ort::IoBinding binding(session);
    const auto cpu = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    const std::vector<GraphInput> inputs = Inputs();
    std::vector<float> rows(values.size());
    const std::array<int64_t, 2> dims{static_cast<int64_t>(rows.size()), 1};
    try {
      for (const GraphInput& input : inputs) {
        const bool is_labelled = std::string(input.name) == "total_sequence_length";
        binding.BindInput(input.name,
                          input.Tensor(is_labelled ? label : cpu, const_cast<std::byte*>(input.bytes.data())));
      }
      binding.BindOutput("rows",
                         Ort::Value::CreateTensor<float>(cpu, rows.data(), rows.size(), dims.data(), dims.size()));
      session.Run(Ort::RunOptions(), binding);
    } catch (const Ort::Exception& exception) {
      return exception.what();
    }
    return IsFirst(rows) ? "right" : "wrong";
  }
  // The first position attends to itself alone, those after it to larger ones too.
  bool IsFirst(std::span<const float> rows) const {
    for (size_t i = 0; i < kDim; ++i) {
      if (rows[i] != static_cast<float>(values[i])) return false;
    }
    return rows[kDim] > rows[0];
  }
};

TEST(bound_tensors_are_the_cpus_to_onnx_runtime) {
  Fixture fixture;
  CHECK_EQ(fixture.Run(GpuSlot::TensorMemory()), "right");
  // What such a label would do: the operator reads a length of zero.
  CHECK(fixture.Run(Ort::MemoryInfo("CudaPinned", OrtDeviceAllocator, 0, OrtMemTypeCPUOutput)) != "right");
}

TEST(a_slot_serves_batch_after_batch_of_any_size) {
  Fixture fixture;
  GpuSlot slot(fixture.session, Device{});
  for (const int32_t scale : {1, 3}) {
    for (int32_t& value : fixture.values) value *= scale;
    slot.Bind(fixture.Inputs(), "rows", kLength * kDim);
    const std::span<const float> rows = slot.Run(fixture.session, Ort::RunOptions());
    CHECK_EQ(rows.size(), static_cast<size_t>(kLength * kDim));
    CHECK(fixture.IsFirst(rows));
  }
  fixture.values.assign(100 * kDim, 7);
  fixture.last = {99}, fixture.total = {100};
  std::vector<GraphInput> inputs = fixture.Inputs();
  inputs[0] = GraphInput("values", fixture.values, {1, 100, kDim});
  slot.Bind(inputs, "rows", 100 * kDim);
  const std::span<const float> rows = slot.Run(fixture.session, Ort::RunOptions());
  CHECK_EQ(rows.size(), 100u * kDim);
  CHECK(std::ranges::all_of(rows, [](float row) { return std::abs(row - 7) < 1e-4f; }));
}

TEST(options_of_the_cuda_provider) {
  const auto options =
      CudaProviderOptions({DeviceKind::kCuda, 2, {{"sdpa_kernel", "8"}, {"user_compute_stream", "0"}}});
  CHECK_EQ(options.at("device_id"), "2");
  CHECK_EQ(options.at("sdpa_kernel"), "8");
  CHECK_EQ(options.at("user_compute_stream"), "0");
  CHECK_EQ(options.at("use_tf32"), "0");
  // With it ONNX Runtime sets no device on the thread that runs.
  CHECK_EQ(options.count("use_ep_level_unified_stream"), 0u);
}

}  // namespace
}  // namespace zrank
