#include "kernels/cuda/launch.h"

#include <algorithm>
#include <iterator>

namespace zrank::cuda {

namespace {

// As in kernels.cu.
constexpr int64_t kHeadDims[] = {32, 64, 96, 128};

std::string Name(const char* kernel, Element element) {
  return std::string(kernel) + '_' + kElementNames[static_cast<int>(element)];
}
std::string Name(const char* kernel, Element element, int64_t head_dim) {
  return Name(kernel, element) + '_' + std::to_string(head_dim);
}

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

bool HasKernels(int64_t head_dim, int64_t heads, int64_t key_value_heads) {
  return std::find(std::begin(kHeadDims), std::end(kHeadDims), head_dim) != std::end(kHeadDims) &&
         key_value_heads > 0 && heads % key_value_heads == 0 && heads / key_value_heads <= kAttentionRows;
}

Launch LaunchOf(const GatedUnitsArguments& arguments, Element element) {
  return {Name("gated_units", element), arguments.rows * PartsOfRow(arguments.columns), kGatedUnitsThreads, 0};
}

Launch LaunchOf(const RotateHeadsArguments& arguments, Element element, int64_t head_dim) {
  const int heads_of_block = kRotateHeadsThreads / LanesOfHead(static_cast<int>(head_dim));
  return {Name("rotate_heads", element, head_dim), CeilDiv(arguments.rows, heads_of_block), kRotateHeadsThreads, 0};
}

Launch LaunchOf(const AttentionArguments& arguments, Element element, int64_t head_dim, int64_t tiles) {
  const int32_t parts = PartsOfTile(arguments.heads / arguments.key_value_heads);
  return {Name("attention", element, head_dim), tiles * parts * arguments.key_value_heads, kAttentionThreads,
          AttentionSharedBytes(static_cast<int>(head_dim))};
}

}  // namespace zrank::cuda
