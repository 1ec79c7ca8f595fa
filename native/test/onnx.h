#pragma once

// ONNX models of a few nodes, for tests.

#include <cstdint>
#include <cstring>
#include <string>

namespace zrank::test {

// Fields of Protocol Buffers, in which ONNX is written (onnx.proto).
inline std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7) bytes += static_cast<char>((value & 127) | 128);
  return bytes + static_cast<char>(value);
}
inline std::string Integer(int field, int64_t value) {
  return Varint(static_cast<uint64_t>(field) << 3) + Varint(static_cast<uint64_t>(value));
}
inline std::string Bytes(int field, const std::string& bytes) {
  return Varint(static_cast<uint64_t>(field) << 3 | 2) + Varint(bytes.size()) + bytes;
}

inline std::string ValueInfo(int field, const std::string& name, int64_t type) {
  return Bytes(field, Bytes(1, name) + Bytes(2, Bytes(1, Integer(1, type))));
}
inline std::string Attribute(const std::string& name, int64_t value) {
  return Bytes(5, Bytes(1, name) + Integer(3, value) + Integer(20, 2));
}
inline std::string Attribute(const std::string& name, const std::string& value) {
  return Bytes(5, Bytes(1, name) + Bytes(4, value) + Integer(20, 3));
}
inline std::string Attribute(const std::string& name, float value) {
  std::string bytes(sizeof(value), '\0');
  std::memcpy(bytes.data(), &value, sizeof(value));
  return Bytes(5, Bytes(1, name) + Varint(2 << 3 | 5) + bytes + Integer(20, 1));
}

}  // namespace zrank::test
