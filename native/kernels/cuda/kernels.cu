// The kernels by name, for nvcc (tools/cuda-kernels.sh).

#include "kernels/cuda/attention.h"
#include "kernels/cuda/gated_units.h"
#include "kernels/cuda/rotate_heads.h"

#define ZRANK_GATED_UNITS(T, type)                                                             \
  extern "C" __global__ void __launch_bounds__(zrank::cuda::kGatedUnitsThreads)                \
      gated_units_##type(const __grid_constant__ zrank::cuda::GatedUnitsArguments arguments) { \
    zrank::cuda::GatedUnits<zrank::cuda::T>(arguments);                                        \
  }
#define ZRANK_HEADS(T, type, dim)                                                                        \
  extern "C" __global__ void __launch_bounds__(zrank::cuda::kRotateHeadsThreads)                         \
      rotate_heads_##type##_##dim(const __grid_constant__ zrank::cuda::RotateHeadsArguments arguments) { \
    zrank::cuda::RotateHeads<zrank::cuda::T, dim>(arguments);                                            \
  }                                                                                                      \
  extern "C" __global__ void __launch_bounds__(zrank::cuda::kAttentionThreads)                           \
      attention_##type##_##dim(const __grid_constant__ zrank::cuda::AttentionArguments arguments) {      \
    zrank::cuda::AttentionKernel<zrank::cuda::T, dim>::Run(arguments);                                   \
  }
#define ZRANK_KERNELS(T, type) \
  ZRANK_GATED_UNITS(T, type)   \
  ZRANK_HEADS(T, type, 32)     \
  ZRANK_HEADS(T, type, 64)     \
  ZRANK_HEADS(T, type, 96)     \
  ZRANK_HEADS(T, type, 128)

ZRANK_KERNELS(Fp16, fp16)
ZRANK_KERNELS(Bf16, bf16)
