#include "test/check.h"

#include <cstdlib>
#include <iostream>

namespace zrank::test {

namespace {

struct Registered {
  const char* name;
  void (*body)();
};
std::vector<Registered>& Cases() {
  static std::vector<Registered> cases;
  return cases;
}
int failures = 0;

}  // namespace

Case::Case(const char* name, void (*body)()) { Cases().push_back({name, body}); }

std::string OnnxRuntime() {
  const char* path = std::getenv("ZRANK_ONNXRUNTIME");
  if (path == nullptr) throw Skipped{"ZRANK_ONNXRUNTIME names no ONNX Runtime"};
  return path;
}

void Report(bool ok, const char* file, int line, const std::string& text) {
  if (ok) return;
  ++failures;
  std::cerr << file << ':' << line << ": " << text << '\n';
}

}  // namespace zrank::test

int main() {
  using namespace zrank::test;
  int passed = 0, failed = 0, skipped = 0;
  for (const auto& test : Cases()) {
    failures = 0;
    try {
      test.body();
    } catch (const Skipped& skip) {
      std::cout << "skipped " << test.name << ": " << skip.reason << '\n';
      ++skipped;
      continue;
    }
    std::cout << (failures ? "not ok " : "ok ") << test.name << '\n';
    ++(failures ? failed : passed);
  }
  if (skipped > 0) std::cout << skipped << " skipped\n";
  std::cout << passed << " passed, " << failed << " failed\n";
  return failed > 0;
}
