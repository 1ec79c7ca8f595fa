#include "core/padded_encoder.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/stopwatch.h"

namespace zrank {

namespace {

constexpr std::array kInputs{"input_ids", "attention_mask", "token_type_ids"};
// The names that transformers, optimum and sentence-transformers give their outputs.
constexpr std::array kTokenOutputs{"last_hidden_state", "token_embeddings"};
constexpr std::array kSentenceOutputs{"sentence_embedding"};
constexpr std::array kScoreOutputs{"logits"};

std::string Join(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

// The first of `wanted` that is there; else the only output there is.
template <size_t N>
std::string Choose(const std::vector<std::string>& outputs, const std::array<const char*, N>& wanted) {
  for (const char* name : wanted) {
    if (std::find(outputs.begin(), outputs.end(), name) != outputs.end()) return name;
  }
  return outputs.size() == 1 ? outputs.front() : "";
}

void CheckInputs(const Ort::Session& session, const std::vector<std::string>& names) {
  for (size_t i = 0; i < names.size(); ++i) {
    if (std::find(kInputs.begin(), kInputs.end(), names[i]) == kInputs.end()) {
      throw Error(ErrorCode::kSessionFailed,
                  "the graph asks for the input " + names[i] + ", which is none of an encoder's");
    }
    const Ort::TypeInfo type = session.GetInputTypeInfo(i);
    if (type.GetTensorTypeAndShapeInfo().GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {
      throw Error(ErrorCode::kSessionFailed, "the graph's input " + names[i] + " is not of type int64");
    }
  }
}

// One input of the batch, [sequences, longest].
std::vector<int64_t> Fill(const std::string& input, std::span<const Sequence> batch, size_t longest, int64_t pad_id) {
  std::vector<int64_t> values(batch.size() * longest, input == "input_ids" ? pad_id : 0);
  for (size_t b = 0; b < batch.size(); ++b) {
    int64_t* row = values.data() + b * longest;
    const auto& [ids, type_ids] = batch[b];
    if (input == "input_ids") {
      std::copy(ids.begin(), ids.end(), row);
    } else if (input == "attention_mask") {
      std::fill_n(row, ids.size(), 1);
    } else {
      std::copy(type_ids.begin(), type_ids.end(), row);
    }
  }
  return values;
}

}  // namespace

PaddedEncoder::PaddedEncoder(const EncoderSpec& spec)
    : session_(spec.session), pooling_(spec.pooling), normalize_(spec.normalize), pad_id_(spec.pad_id) {
  const Ort::Session& session = session_.ort();
  inputs_ = session.GetInputNames();
  CheckInputs(session, inputs_);
  const std::vector<std::string> outputs = session.GetOutputNames();
  const std::string wanted = pooling_.empty() ? "logits" : "token or sentence embeddings";
  if (pooling_.empty()) {
    output_ = Choose(outputs, kScoreOutputs);
  } else {
    output_ = Choose(outputs, kTokenOutputs);
    // A graph with the pooling inside gives the rows that pooling would.
    if (output_.empty()) output_ = Choose(outputs, kSentenceOutputs);
  }
  if (output_.empty()) {
    throw Error(ErrorCode::kSessionFailed,
                "none of the graph's outputs (" + Join(outputs) + ") is known to be " + wanted);
  }
  const size_t index = std::find(outputs.begin(), outputs.end(), output_) - outputs.begin();
  const Ort::TypeInfo type = session.GetOutputTypeInfo(index);
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  if (tensor.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT) {
    throw Error(ErrorCode::kSessionFailed, "the graph's output " + output_ + " is not of type float32");
  }
  const size_t rank = tensor.GetShape().size();
  pools_ = rank == 3 && !pooling_.empty();
  if (!pools_ && rank != 1 && rank != 2) {
    throw Error(ErrorCode::kSessionFailed,
                "the graph's output " + output_ + " has " + std::to_string(rank) + " dimensions: it is not " + wanted);
  }
}

RunResult PaddedEncoder::Run(std::span<const Sequence> batch, const Ort::RunOptions& options) {
  size_t longest = 1;
  for (const Sequence& sequence : batch) longest = std::max(longest, sequence.ids.size());
  const std::array shape{static_cast<int64_t>(batch.size()), static_cast<int64_t>(longest)};

  static const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<std::vector<int64_t>> values;
  std::vector<Ort::Value> inputs;
  std::vector<const char*> names;
  for (const std::string& input : inputs_) {
    auto& filled = values.emplace_back(Fill(input, batch, longest, pad_id_));
    inputs.push_back(
        Ort::Value::CreateTensor<int64_t>(memory, filled.data(), filled.size(), shape.data(), shape.size()));
    names.push_back(input.c_str());
  }
  const std::array output_names{output_.c_str()};
  RunResult result;
  const std::vector<Ort::Value> outputs = [&] {
    const Stopwatch stopwatch(result.counts.compute_seconds);
    return session_.Run(options, names, inputs, output_names);
  }();

  const std::vector<int64_t> got = outputs.front().GetTensorTypeAndShapeInfo().GetShape();
  const bool fits = got.front() == shape[0] && (!pools_ || got[1] == shape[1]);
  if (!fits)
    throw Error(ErrorCode::kRunFailed, "the graph's output " + output_ + " does not have a row for every sequence");
  const float* data = outputs.front().GetTensorData<float>();
  const size_t width = got.size() == 1 ? 1 : static_cast<size_t>(got.back());

  result.counts.computed_tokens = result.counts.padded_tokens = batch.size() * longest;
  if (pools_) {
    const std::span tokens(data, batch.size() * longest * width);
    result.rows = PoolBatch(batch, tokens, width);
  } else {
    result.rows.assign(data, data + batch.size() * width);
  }
  if (normalize_) {
    const size_t row_width = result.rows.size() / batch.size();
    for (size_t b = 0; b < batch.size(); ++b) NormalizeL2(std::span(result.rows).subspan(b * row_width, row_width));
  }
  return result;
}

std::vector<float> PaddedEncoder::PoolBatch(std::span<const Sequence> batch, std::span<const float> tokens,
                                            size_t width) const {
  const size_t longest = tokens.size() / width / batch.size();
  std::vector<float> rows(batch.size() * pooling_.size() * width);
  std::span<float> pooled = rows;
  for (size_t b = 0; b < batch.size(); ++b) {
    for (const Pooling mode : pooling_) {
      Pool(mode, tokens.subspan(b * longest * width, batch[b].ids.size() * width), pooled.first(width));
      pooled = pooled.subspan(width);
    }
  }
  return rows;
}

}  // namespace zrank
