#pragma once

#include <sstream>
#include <string>
#include <vector>

namespace zrank::test {

// A test case registers itself; CHECK_EQ reports and goes on.
struct Case {
  Case(const char* name, void (*body)());
};
// Thrown by a test that cannot run.
struct Skipped {
  std::string reason;
};
// ONNX Runtime's library, which ZRANK_ONNXRUNTIME names. Throws Skipped where it names none.
std::string OnnxRuntime();
void Report(bool ok, const char* file, int line, const std::string& text);

template <typename T>
std::string Show(const T& value) {
  std::ostringstream out;
  if constexpr (requires { value.begin(); }) {
    out << '[';
    for (const auto& element : value) out << Show(element) << ' ';
    out << ']';
  } else {
    out << value;
  }
  return out.str();
}

}  // namespace zrank::test

#define TEST(name)                                         \
  static void name();                                      \
  static const zrank::test::Case case_##name(#name, name); \
  static void name()

#define CHECK_EQ(actual, ...)                                                                                        \
  do {                                                                                                               \
    const auto& actual_ = (actual);                                                                                  \
    const std::decay_t<decltype(actual_)> expected_ = __VA_ARGS__;                                                   \
    zrank::test::Report(actual_ == expected_, __FILE__, __LINE__,                                                    \
                        #actual " is " + zrank::test::Show(actual_) + ", expected " + zrank::test::Show(expected_)); \
  } while (false)

#define CHECK(condition) zrank::test::Report((condition), __FILE__, __LINE__, #condition)
