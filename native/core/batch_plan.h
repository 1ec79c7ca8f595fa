#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace zrank {

// What the planner knows of one sequence.
struct PlanItem {
  uint32_t length;  // tokens
  uint32_t group;   // sequences of one group begin with the same tokens
  uint32_t prefix;  // how many tokens all the sequences of the group share
};

struct BatchLimits {
  uint64_t max_tokens;         // tokens to compute: each group's shared prefix counts once
  uint64_t max_padded_tokens;  // sequences x longest sequence: what attention lays out
};

// The order in which sequences enter batches: groups stay together in their order of arrival, inside a group the
// longest comes first and equal lengths keep their order.
std::vector<uint32_t> PlanOrder(std::span<const PlanItem> items);

// How many of the leading items make the next batch: as many as the limits allow, at least one. An item beyond the
// limits runs alone.
size_t PlanCut(std::span<const PlanItem> ordered, const BatchLimits& limits);

// Tokens that an item adds to a batch behind `previous` (null at the beginning): its group's prefix counts once. An
// upper bound, since equal sequences inside a group may share more.
uint64_t AddedTokens(const PlanItem* previous, const PlanItem& item);

}  // namespace zrank
