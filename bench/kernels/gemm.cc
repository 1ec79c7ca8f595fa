// GFLOP/s of zrank's matrix kernels on one thread, and what share that is of the instruction's limit here, by the
// thread's processor time, so that other programs disturb little. ZRANK_CPU_TARGET names a lesser target than the
// processor's best. Build: cmake --build build --target zrank_kernel_bench

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "kernels/amx/tiles.h"
#include "kernels/dispatch.h"

namespace {

using namespace zrank;

double Now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::unique_ptr<void, void (*)(void*)> Allocate(size_t bytes) {
  return {std::aligned_alloc(kGemmAlignment, (bytes / kGemmAlignment + 1) * kGemmAlignment), std::free};
}

// What the processor does at most: a loop of one instruction, and the operations of each.
struct Limit {
  void (*loop)();
  double operations;
};

// A loop of nothing but `instruction` on registers of 64 ("z") or 32 ("y") bytes.
#if defined(__x86_64__)
constexpr int kLoops = 20000, kInstructions = 12;
#define LINE(instruction, size, i) instruction " %%" size "mm14, %%" size "mm15, %%" size "mm" #i "\n"
#define LOOP(instruction, size)                                                                                 \
  [] {                                                                                                          \
    asm volatile("vzeroall\n mov %0, %%ecx\n 1:\n" LINE(instruction, size, 0) LINE(instruction, size, 1)        \
                     LINE(instruction, size, 2) LINE(instruction, size, 3) LINE(instruction, size, 4)           \
                         LINE(instruction, size, 5) LINE(instruction, size, 6) LINE(instruction, size, 7)       \
                             LINE(instruction, size, 8) LINE(instruction, size, 9) LINE(instruction, size, 10)  \
                                 LINE(instruction, size, 11) "dec %%ecx\n jnz 1b\n vzeroupper" ::"i"(kLoops)    \
                 : "ecx", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
                   "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");                                       \
  }

void MultiplyTiles() {
  using Tiles = amx::HardwareTiles;
  const Tiles::Session session;
  for (int i = 0; i < kLoops * kInstructions / 4; ++i) {
    Tiles::AddProducts<0, 4, 6>();
    Tiles::AddProducts<1, 4, 7>();
    Tiles::AddProducts<2, 5, 6>();
    Tiles::AddProducts<3, 5, 7>();
  }
}

Limit LimitOf(const Target& target, Arithmetic arithmetic) {
  const bool is_wide = std::strcmp(target.name, "avx2") != 0;
  switch (arithmetic) {
    case Arithmetic::kFp32:
      return is_wide ? Limit{LOOP("vfmadd231ps", "z"), 32} : Limit{LOOP("vfmadd231ps", "y"), 16};
    case Arithmetic::kBf16:
      if (std::strcmp(target.name, "amx") == 0) return {MultiplyTiles, 2 * 16 * 16 * 32};
      return {LOOP("vdpbf16ps", "z"), 64};
    case Arithmetic::kInt8:
      return is_wide ? Limit{LOOP("vpdpbusd", "z"), 128} : Limit{LOOP("%{vex%} vpdpbusd", "y"), 64};
  }
  return {};
}
#else
constexpr int kLoops = 1, kInstructions = 1;
Limit LimitOf(const Target&, Arithmetic) {
  return {[] {}, 0};
}
#endif

struct Rates {
  double kernel, limit;  // GFLOP/s
};

// Best of several calls: packing of X and all blocks. The limit is measured between them, since clocks change.
Rates Measure(const GemmKernel& kernel, const Limit& limit, Stored stored, int64_t rows, int64_t depth,
              int64_t columns) {
  std::mt19937 random(1);
  std::vector<float> x(static_cast<size_t>(rows * depth)), y(static_cast<size_t>(rows * columns));
  std::vector<uint16_t> weight(static_cast<size_t>(columns * depth));
  const std::vector<float> scales(static_cast<size_t>(columns * (depth / kInt8Block)), 0.01f);
  for (float& value : x) value = static_cast<float>(random() % 2048) / 1024 - 1;
  for (uint16_t& value : weight) value = static_cast<uint16_t>(0x3c00 + random() % 0x300 + (random() % 2 << 15));
  GemmInput input{x.data(), nullptr, rows, depth};
  const auto packed = Allocate(kernel.packed_bytes(input)), workspace = Allocate(kernel.workspace_bytes);
  input.packed = static_cast<uint32_t*>(packed.get());
  const Gemm gemm{{weight.data(), scales.data()}, {}, y.data(), columns, stored};
  const double work = 2e-9 * static_cast<double>(rows) * static_cast<double>(depth) * static_cast<double>(columns);
  double best = 1e9, best_loop = 1e9;
  for (int i = 0; i < std::max(5, static_cast<int>(60 / work)); ++i) {
    const double start = Now();
    for (int64_t tile = 0; tile < kernel.tiles(input); ++tile) kernel.pack(input, tile);
    for (int64_t block = 0; block < kernel.blocks(input, gemm); ++block)
      kernel.block(input, gemm, block, workspace.get());
    const double middle = Now();
    limit.loop();
    best = std::min(best, middle - start);
    best_loop = std::min(best_loop, Now() - middle);
  }
  return {work / best, 1e-9 * limit.operations * kInstructions * kLoops / best_loop};
}

}  // namespace

// Arguments, if any: the depth and columns of one matrix instead of those of Qwen3-0.6B.
int main(int count, char** arguments) {
  std::vector<std::pair<int, int>> shapes{{1024, 3072}, {3072, 1024}, {1024, 2048}, {2048, 1024}};
  if (count == 3) shapes = {{std::atoi(arguments[1]), std::atoi(arguments[2])}};
  struct Way {
    Arithmetic arithmetic;
    Stored stored;
  };
  const Target& target = CpuTarget();
  for (const auto& [arithmetic, stored] : {Way{Arithmetic::kFp32, Stored::kBf16}, Way{Arithmetic::kBf16, Stored::kBf16},
                                           Way{Arithmetic::kInt8, Stored::kInt8}}) {
    const char* const name = kWords<Arithmetic>[static_cast<size_t>(arithmetic)];
    const GemmKernel* kernel = target.FindGemm(arithmetic);
    if (kernel == nullptr) {
      std::printf("%s %s: no kernel for this processor\n", target.name, name);
      continue;
    }
    const Limit limit = LimitOf(target, arithmetic);
    std::printf("%s %s, GFLOP/s of the instruction's limit at that time\n", target.name, name);
    for (const auto& [depth, columns] : shapes) {
      std::printf("  %4d x %4d", depth, columns);
      for (int rows : {16, 128, 512, 2048}) {
        const Rates rates = Measure(*kernel, limit, stored, rows, depth, columns);
        std::printf("   M=%d: %5.1f of %5.1f (%2.0f %%)", rows, rates.kernel, rates.limit,
                    100 * rates.kernel / rates.limit);
        std::fflush(stdout);
      }
      std::printf("\n");
    }
  }
}
