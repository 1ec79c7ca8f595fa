#pragma once

// What C++ and TypeScript must agree on though no compiler sees both. The addon exports it, and test/contract.test.ts
// compares it with src. Constants alone: kernels include this, too.

#include <array>
#include <cstddef>
#include <cstdint>

namespace zrank {

// The words of an enum in JavaScript and in attributes of graphs, in the order of its values.
template <typename Enum>
inline constexpr std::array<const char*, 0> kWords{};

enum class DeviceKind { kCpu, kCuda, kWebGpu };
template <>
inline constexpr auto kWords<DeviceKind> = std::array{"cpu", "cuda", "webgpu"};

// The classes of those names.
enum class ModelKind { kPackedDecoder, kPaddedEncoder };
template <>
inline constexpr auto kWords<ModelKind> = std::array{"packed-decoder", "padded-encoder"};

// How products are formed; sums are fp32 in all.
enum class Arithmetic {
  kFp32,  // fp32 times the weight, widened exactly
  kBf16,  // both factors bf16, the activations rounded to it
  kInt8,  // 8-bit integers in blocks of kInt8Block of the depth, each with a scale; the activations are rounded so here
};
template <>
inline constexpr auto kWords<Arithmetic> = std::array{"fp32", "bf16", "int8"};

// How the token embeddings of a sequence become one: the modes of sentence-transformers
// (sentence_transformer/modules/pooling.py).
enum class Pooling {
  kCls,  // the first token's
  kMax,  // the greatest of each dimension
  kMean,
  kMeanSqrtLength,  // the sum, divided by the root of the length
  kWeightedMean,    // token i weighs i + 1
  kLastToken,
};
template <>
inline constexpr auto kWords<Pooling> =
    std::array{"cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"};

// What native errors are known by.
enum class ErrorCode {
  kInvalidArgument,
  kAborted,
  kClosed,
  kQueueFull,
  kOnnxRuntimeNotFound,
  kOnnxRuntimeIncompatible,
  kDeviceUnavailable,
  kDeviceOutOfMemory,
  kOutOfMemory,  // this process
  kSessionFailed,
  kRunFailed,
  kScoreNotFinite,
  kInternal,
};
template <>
inline constexpr auto kWords<ErrorCode> = std::array{"INVALID_ARGUMENT",
                                                     "ABORTED",
                                                     "CLOSED",
                                                     "QUEUE_FULL",
                                                     "ONNXRUNTIME_NOT_FOUND",
                                                     "ONNXRUNTIME_INCOMPATIBLE",
                                                     "DEVICE_UNAVAILABLE",
                                                     "DEVICE_OUT_OF_MEMORY",
                                                     "OUT_OF_MEMORY",
                                                     "SESSION_FAILED",
                                                     "RUN_FAILED",
                                                     "SCORE_NOT_FINITE",
                                                     "INTERNAL"};
static_assert(kWords<ErrorCode>.size() == static_cast<size_t>(ErrorCode::kInternal) + 1);

// Elements of a weight's row that share a scale in int8.
inline constexpr int64_t kInt8Block = 128;

// Our attention is made for heads of a multiple of this many elements.
inline constexpr int64_t kHeadDimMultiple = 32;

// Tokens of a block of PagedAttention's cache: a multiple of the key tile of FlashAttention-2 at every head size, which
// the operator asks for.
inline constexpr int32_t kPagedBlockSize = 256;

// Sequences are padded to a scale of lengths, none below the least, with so many between powers of two: a graph whose
// tables end must have positions for what that adds.
inline constexpr size_t kMinPaddedLength = 16, kPaddedLengthSteps = 8;

// The packed graph (core/pack.h).
namespace graph {

inline constexpr auto kInputIds = "input_ids", kExpand = "expand", kCompact = "compact", kLast = "last",
                      kLastFlat = "last_flat", kSeqlensK = "seqlens_k", kTotalSequenceLength = "total_sequence_length";
inline constexpr std::array kInputs{kInputIds, kExpand, kCompact, kLast, kLastFlat, kSeqlensK, kTotalSequenceLength};

inline constexpr auto kCumulativeSequenceLength = "cumulative_sequence_length", kPastSeqlens = "past_seqlens",
                      kBlockTable = "block_table", kAttentionMetadata = "attention_metadata", kKeyBlocks = "key_blocks",
                      kValueBlocks = "value_blocks";
inline constexpr std::array kPagedInputs{
    kInputIds,    kExpand,     kCompact,           kLast,      kLastFlat,   kCumulativeSequenceLength,
    kPastSeqlens, kBlockTable, kAttentionMetadata, kKeyBlocks, kValueBlocks};

// For our attention on CUDA (core/tiles.h).
inline constexpr auto kPositions = "positions", kTiles = "tiles", kLastTiles = "last_tiles";
inline constexpr std::array kTiledInputs{kInputIds, kPositions, kExpand, kLast, kTiles, kLastTiles};

inline constexpr auto kLogits = "logits";

}  // namespace graph

// Our own operators (kernels/ops/custom_ops.h).
namespace op {

inline constexpr auto kDomain = "zrank", kMatMul = "MatMul", kGatedMatMul = "GatedMatMul", kAttention = "Attention",
                      kGatedUnits = "GatedUnits", kRotateHeads = "RotateHeads", kTiledAttention = "TiledAttention",
                      kTunedMatMul = "TunedMatMul";
inline constexpr auto kArithmetic = "arithmetic", kHeads = "heads", kKeyValueHeads = "key_value_heads",
                      kEpsilon = "epsilon", kAlpha = "alpha", kScale = "scale", kColumns = "columns", kFirst = "first";

}  // namespace op

}  // namespace zrank
