#pragma once

#include <onnxruntime_cxx_api.h>

namespace zrank {

// The operators of domain `zrank`, for session options. Process lifetime.
//
//   MatMul(X [M, K], W... [N, K]) -> Y... [M, N]      Y = X W^T for each weight
//   GatedMatMul(X, gate [N, K], up [N, K]) -> Y       Y = silu(X gate^T) * (X up^T)
//   Attention(q, k, v, q_norm, k_norm, cos, sin, expand [B, S], rows [R]) -> out [R, heads * head_dim]
//       causal attention of the positions `rows` in B x S, as attention.h describes; either norm may be left out;
//       attributes heads, key_value_heads, epsilon
//
// X and Y are fp32; weights fp32, fp16 or bf16, used where they lie. Attribute `arithmetic`: "fp32", "bf16" or "int8"
// (gemm.h); a session that asks for one the processor lacks fails to load. In int8 each weight is two inputs, uint8 [N,
// blocks, 128] and its scales [N, blocks], and attention is computed in bf16, or in fp32 where the processor lacks
// that.
//
// On CUDA (kernels/cuda), T fp16 or bf16:
//
//   TunedMatMul(X T [M, K], W T [N, K]) -> T [M, N]    alpha X W^T; attribute alpha
//   GatedUnits(gate T [M, columns], up T [M, columns]) -> T [M, columns]    silu(scale gate) * up; attributes columns,
//       scale, first of gate and up
//   RotateHeads(x T [M, heads * head_dim], norm T [head_dim], cos, sin [positions, head_dim / 2], positions int32 [M])
//       -> T [M, heads * head_dim]    RMSNorm of each head and its rotation; the norm may be left out; attributes
//       heads, epsilon, first of x
//   TiledAttention(q T [R, heads * head_dim], k, v T [tokens, key_value_heads * head_dim], q_norm T [head_dim], cos,
//       sin, expand int32 [B, S], tiles int32 [N, 4]) -> T [R, heads * head_dim]    causal attention of the rows that
//       the tiles name, as AttentionArguments describes; keys come from RotateHeads; q_norm may be left out; attributes
//       heads, key_value_heads, epsilon, first of q and v
//
// Attribute `first`: the columns of these inputs begin there in a matrix that may be wider.
OrtCustomOpDomain* CustomOps();

}  // namespace zrank
