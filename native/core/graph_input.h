#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <span>
#include <vector>

namespace zrank {

// An input of a graph, [shape], in memory that outlives the run.
struct GraphInput {
  GraphInput(const char* name, std::span<const int32_t> data, std::vector<int64_t> shape)
      : name(name), bytes(std::as_bytes(data)), shape(std::move(shape)), type(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32) {}
  GraphInput(const char* name, std::span<const int64_t> data, std::vector<int64_t> shape)
      : name(name), bytes(std::as_bytes(data)), shape(std::move(shape)), type(ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64) {}

  const char* name;
  std::span<const std::byte> bytes;
  std::vector<int64_t> shape;
  ONNXTensorElementDataType type;

  // A tensor over `data`, which holds what `bytes` holds.
  Ort::Value Tensor(const Ort::MemoryInfo& memory, void* data) const {
    return Ort::Value::CreateTensor(memory, data, bytes.size(), shape.data(), shape.size(), type);
  }
};

}  // namespace zrank
