// GFLOP/s of zrank's matrix kernels on one thread beside the processor's own limit, by the thread's processor time, so
// that other programs disturb little. Build: cmake --build build --target zrank_kernel_bench

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <random>
#include <vector>

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

// Best of several calls: packing of X and all blocks.
double Gflops(const GemmKernel& kernel, Stored stored, int64_t rows, int64_t depth, int64_t columns) {
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
  double best = 1e9;
  for (int i = 0; i < std::max(5, static_cast<int>(60 / work)); ++i) {
    const double start = Now();
    for (int64_t tile = 0; tile < kernel.tiles(input); ++tile) kernel.pack(input, tile);
    for (int64_t block = 0; block < kernel.blocks(input, gemm); ++block)
      kernel.block(input, gemm, block, workspace.get());
    best = std::min(best, Now() - start);
  }
  return work / best;
}

}  // namespace

int main() {
  struct Way {
    const char* name;
    Arithmetic arithmetic;
    Stored stored;
  };
  for (const auto& [name, arithmetic, stored] :
       {Way{"fp32", Arithmetic::kFp32, Stored::kBf16}, Way{"bf16", Arithmetic::kBf16, Stored::kBf16},
        Way{"int8", Arithmetic::kInt8, Stored::kInt8}}) {
    const GemmKernel* kernel = FindGemmKernel(arithmetic);
    if (kernel == nullptr) {
      std::printf("%s: this processor has no instructions for it\n", name);
      continue;
    }
    for (const auto& [depth, columns] :
         {std::pair{1024, 3072}, std::pair{3072, 1024}, std::pair{1024, 2048}, std::pair{2048, 1024}}) {
      std::printf("%s  %4d x %4d ", name, depth, columns);
      for (int rows : {16, 128, 512, 2048})
        std::printf("  M=%d: %5.1f", rows, Gflops(*kernel, stored, rows, depth, columns));
      std::printf(" GFLOP/s\n");
    }
  }
}
