// Which target is chosen, of literal ones; and what the processor is said to have. No kernel runs.

#include "kernels/dispatch.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "kernels/processor.h"
#include "test/check.h"

namespace zrank {
namespace {

// From the best down; each is there or not.
std::vector<Target> Made(std::vector<std::pair<const char*, bool>> named) {
  std::vector<Target> targets;
  for (const auto& [name, is_supported] : named) {
    targets.push_back({.name = name});
    targets.back()[Arithmetic::kFp32].is_supported = is_supported;
  }
  return targets;
}

std::string Chosen(const std::vector<Target>& targets, const char* cap) {
  const Target* chosen = ChooseTarget(targets, cap);
  return chosen == nullptr ? "" : chosen->name;
}

TEST(the_best_target_that_the_processor_supports_is_chosen) {
  CHECK_EQ(Chosen(Made({{"wide", true}, {"narrow", true}}), nullptr), "wide");
  CHECK_EQ(Chosen(Made({{"wide", false}, {"narrow", true}}), nullptr), "narrow");
  CHECK_EQ(Chosen(Made({{"wide", false}, {"narrow", false}}), nullptr), "");
}

TEST(a_cap_leaves_out_what_is_better_and_promises_nothing) {
  const auto both = Made({{"wide", true}, {"narrow", true}});
  CHECK_EQ(Chosen(both, ""), "wide");
  CHECK_EQ(Chosen(both, "wide"), "wide");
  CHECK_EQ(Chosen(both, "narrow"), "narrow");
  CHECK_EQ(Chosen(both, "none"), "");
  CHECK_EQ(Chosen(Made({{"wide", false}, {"narrow", true}}), "wide"), "narrow");
}

TEST(an_unknown_cap_is_refused_with_the_known_ones) {
  std::string message;
  try {
    ChooseTarget(Made({{"wide", true}, {"narrow", true}}), "Wide");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    message = error.what();
  }
  CHECK_EQ(message, "ZRANK_CPU_TARGET is \"Wide\"; the targets are wide, narrow, none");
}

#if defined(__linux__) && defined(__x86_64__)
TEST(the_processor_has_what_the_kernel_says) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line) && line.rfind("flags", 0) != 0) continue;
  line += ' ';
  const auto has = [&](std::vector<std::string> flags) {
    return std::all_of(flags.begin(), flags.end(),
                       [&](const std::string& flag) { return line.find(" " + flag + " ") != std::string::npos; });
  };
  CHECK(has({"sse2"}));
  const Processor& processor = ThisProcessor();
  CHECK_EQ(processor.avx2, has({"avx2", "fma", "f16c"}));
  CHECK_EQ(processor.avx_vnni, has({"avx2", "fma", "f16c", "avx_vnni"}));
  CHECK_EQ(processor.avx512, has({"avx512f", "avx512bw", "avx512vl", "avx512dq"}));
  CHECK_EQ(processor.avx512_bf16, processor.avx512 && has({"avx512_bf16"}));
  CHECK_EQ(processor.avx512_vnni, processor.avx512 && has({"avx512_vnni"}));
  CHECK_EQ(processor.amx_bf16, processor.avx512_bf16 && has({"amx_tile", "amx_bf16"}));
}
#endif

TEST(a_target_that_is_not_supported_has_no_kernels) {
  for (const Target& target : Targets()) {
    for (const Arithmetic arithmetic : {Arithmetic::kFp32, Arithmetic::kBf16, Arithmetic::kInt8}) {
      CHECK_EQ(target.FindGemm(arithmetic) != nullptr, target[arithmetic].is_supported);
    }
    CHECK_EQ(target.FindAttention(Arithmetic::kFp32) != nullptr, target[Arithmetic::kFp32].is_supported);
    // int8 has no attention of its own.
    CHECK_EQ(target.FindAttention(Arithmetic::kInt8) != nullptr, target[Arithmetic::kFp32].is_supported);
  }
}

}  // namespace
}  // namespace zrank
