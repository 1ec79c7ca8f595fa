// The attention operator in ONNX Runtime (named by ZRANK_ONNXRUNTIME) against its kernel. Where the processor has none,
// nothing is checked.

#include <cstdlib>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/ort_runtime.h"
#include "kernels/ops/custom_ops.h"
#include "test/attention_batch.h"
#include "test/check.h"
#include "test/onnx.h"

namespace zrank {
namespace {

using test::AttentionBatch;
using test::AttentionShape;
using test::Attribute;
using test::Bytes;
using test::Integer;
using test::ValueInfo;

// A graph of one node, whose inputs are its own; those left out have no name.
std::string Model(const std::vector<std::string>& inputs, const AttentionShape& shape, const std::string& arithmetic) {
  std::string node, infos;
  for (const std::string& input : inputs) {
    node += Bytes(1, input);
    const bool is_index = input == "expand" || input == "rows";
    if (!input.empty()) infos += ValueInfo(11, input, is_index ? 6 : 1);
  }
  node += Bytes(2, "out") + Bytes(4, "Attention") + Bytes(7, "zrank") + Attribute("arithmetic", arithmetic) +
          Attribute("heads", shape.heads) + Attribute("key_value_heads", shape.key_value_heads) +
          Attribute("epsilon", 1e-6f);
  const std::string graph = Bytes(1, node) + Bytes(2, "graph") + infos + ValueInfo(12, "out", 1);
  return Integer(1, 10) + Bytes(7, graph) + Bytes(8, Integer(2, 21)) + Bytes(8, Bytes(1, "zrank") + Integer(2, 1));
}

// All positions of the second sequence.
std::vector<float> RunOp(const AttentionBatch& batch, const std::string& arithmetic) {
  Ort::Env& env = OrtRuntime::Open(test::OnnxRuntime()).env();
  const AttentionShape& shape = batch.shape;
  const int64_t tokens = shape.tokens, dim = shape.head_dim;
  std::vector<int32_t> rows(static_cast<size_t>(tokens));
  std::iota(rows.begin(), rows.end(), tokens);

  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  std::vector<std::string> names;
  std::vector<const char*> given;
  std::vector<Ort::Value> values;
  const auto feed = [&](const char* name, auto& data, const std::vector<int64_t>& dims) {
    names.emplace_back(name);
    given.push_back(name);
    values.push_back(Ort::Value::CreateTensor(memory, data.data(), data.size(), dims.data(), dims.size()));
  };
  AttentionBatch inputs = batch;  // tensors take no constants
  feed("q", inputs.q, {tokens, shape.heads * dim});
  feed("k", inputs.k, {tokens, shape.key_value_heads * dim});
  feed("v", inputs.v, {tokens, shape.key_value_heads * dim});
  shape.has_q_norm ? feed("q_norm", inputs.q_norm, {dim}) : void(names.emplace_back());
  shape.has_k_norm ? feed("k_norm", inputs.k_norm, {dim}) : void(names.emplace_back());
  feed("cos", inputs.cos, {tokens, dim / 2});
  feed("sin", inputs.sin, {tokens, dim / 2});
  feed("expand", inputs.expand, {2, tokens});
  feed("rows", rows, {tokens});

  const std::string model = Model(names, shape, arithmetic);
  Ort::SessionOptions options;
  options.Add(CustomOps());
  Ort::Session session(env, model.data(), model.size(), options);
  const char* const output = "out";
  const auto results = session.Run({}, given.data(), values.data(), values.size(), &output, 1);
  const float* data = results.front().GetTensorData<float>();
  return {data, data + tokens * shape.heads * dim};
}

TEST(the_operator_computes_what_its_kernel_does_with_and_without_norms) {
  const AttentionKernel* kernel = CpuTarget().FindAttention(Arithmetic::kFp32);
  if (kernel == nullptr) return;
  for (const auto& [q, k] : {std::pair{true, true}, {true, false}, {false, true}, {false, false}}) {
    std::mt19937 random(3);
    const AttentionBatch batch({20, 4, 2, 32, q, k}, random);
    CHECK_EQ(RunOp(batch, "fp32"), Attend(*kernel, batch, 0, 20));
  }
}

TEST(a_session_with_an_unknown_arithmetic_fails) {
  std::mt19937 random(3);
  std::string message;
  try {
    RunOp(AttentionBatch({20, 4, 2, 32}, random), "fp8");
  } catch (const Ort::Exception& exception) {
    message = exception.what();
  }
  CHECK(message.find("there is no arithmetic \"fp8\"") != std::string::npos);
}

}  // namespace
}  // namespace zrank
