#include "test/check.h"

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

void Report(bool ok, const char* file, int line, const std::string& text) {
  if (ok) return;
  ++failures;
  std::cerr << file << ':' << line << ": " << text << '\n';
}

}  // namespace zrank::test

int main() {
  using namespace zrank::test;
  int passed = 0, failed = 0;
  for (const auto& test : Cases()) {
    failures = 0;
    test.body();
    std::cout << (failures ? "not ok " : "ok ") << test.name << '\n';
    ++(failures ? failed : passed);
  }
  std::cout << passed << " passed, " << failed << " failed\n";
  return failed > 0;
}
