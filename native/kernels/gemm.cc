#include "kernels/gemm.h"

#include "kernels/attention.h"
#include "kernels/gemm_blocking.h"

namespace zrank {

#ifdef ZRANK_AVX512
extern const GemmKernel kGemmFp32Avx512;
extern const GemmKernel kGemmBf16Avx512;
extern const GemmKernel kGemmInt8Avx512;
extern const AttentionKernel kAttentionFp32Avx512;
extern const AttentionKernel kAttentionBf16Avx512;
#endif

namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

#ifdef ZRANK_AVX512
bool HasInstructions(Arithmetic arithmetic) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) {
    return false;
  }
  switch (arithmetic) {
    case Arithmetic::kFp32:
      return true;
    case Arithmetic::kBf16:
      return __builtin_cpu_supports("avx512bf16");
    case Arithmetic::kInt8:
      return __builtin_cpu_supports("avx512vnni");
  }
  return false;
}
#endif

}  // namespace

const size_t kGemmWorkspaceBytes = 4 * kBlockColumns * (kMaxPanelSteps + kBlockTiles * kTileRows);

int64_t GemmTiles(const GemmInput& input) { return CeilDiv(input.rows, kTileRows); }

int64_t GemmBlocks(const GemmInput& input, const Gemm& gemm) {
  // A block of a gated multiplication has its columns from two weights.
  const int64_t columns = gemm.up.data == nullptr ? gemm.columns : 2 * gemm.columns;
  return CeilDiv(GemmTiles(input), kBlockTiles) * CeilDiv(columns, kBlockColumns);
}

const GemmKernel* FindGemmKernel(Arithmetic arithmetic) {
#ifdef ZRANK_AVX512
  if (HasInstructions(arithmetic)) {
    switch (arithmetic) {
      case Arithmetic::kFp32:
        return &kGemmFp32Avx512;
      case Arithmetic::kBf16:
        return &kGemmBf16Avx512;
      case Arithmetic::kInt8:
        return &kGemmInt8Avx512;
    }
  }
#endif
  (void)arithmetic;
  return nullptr;
}

int64_t MaxTaskPositions(int64_t query_heads_each) { return kMaxTaskRows / query_heads_each; }

const AttentionKernel* FindAttentionKernel(Arithmetic arithmetic) {
#ifdef ZRANK_AVX512
  // Attention has no weights to keep in int8.
  if (arithmetic == Arithmetic::kInt8)
    arithmetic = HasInstructions(Arithmetic::kBf16) ? Arithmetic::kBf16 : Arithmetic::kFp32;
  if (HasInstructions(arithmetic))
    return arithmetic == Arithmetic::kBf16 ? &kAttentionBf16Avx512 : &kAttentionFp32Avx512;
#endif
  (void)arithmetic;
  return nullptr;
}

}  // namespace zrank
