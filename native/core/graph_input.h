#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace zrank {

// An input of a graph, [shape], in memory that outlives the run.
struct GraphInput {
  const char* name;
  std::span<const int32_t> data;
  std::vector<int64_t> shape;
};

}  // namespace zrank
