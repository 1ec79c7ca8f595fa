#include "kernels/gemm.h"

#include "kernels/gemm_blocking.h"

namespace zrank {

#ifdef ZRANK_AVX512
extern const GemmKernel kGemmFp32Avx512;
extern const GemmKernel kGemmBf16Avx512;
#endif

namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

const size_t kGemmWorkspaceBytes =
    4 * kBlockColumns * (kSliceSteps + kBlockTiles * kTileRows);

int64_t GemmTiles(const GemmInput& input) { return CeilDiv(input.rows, kTileRows); }

int64_t GemmBlocks(const GemmInput& input, const Gemm& gemm) {
  // A block of a gated multiplication has its columns from two weights.
  const int64_t columns = gemm.up == nullptr ? gemm.columns : 2 * gemm.columns;
  return CeilDiv(GemmTiles(input), kBlockTiles) * CeilDiv(columns, kBlockColumns);
}

const GemmKernel* FindGemmKernel(Arithmetic arithmetic) {
#ifdef ZRANK_AVX512
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (arithmetic == Arithmetic::kFp32 && avx512) return &kGemmFp32Avx512;
  if (arithmetic == Arithmetic::kBf16 && avx512 && __builtin_cpu_supports("avx512bf16")) return &kGemmBf16Avx512;
#endif
  (void)arithmetic;
  return nullptr;
}

}  // namespace zrank
