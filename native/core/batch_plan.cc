#include "core/batch_plan.h"

#include <algorithm>
#include <numeric>

namespace zrank {

std::vector<uint32_t> PlanOrder(std::span<const PlanItem> items) {
  std::vector<uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    if (items[a].group != items[b].group) return items[a].group < items[b].group;
    return items[a].length > items[b].length;
  });
  return order;
}

uint64_t AddedTokens(const PlanItem* previous, const PlanItem& item) {
  const bool shared = previous != nullptr && previous->group == item.group;
  return item.length - (shared ? item.prefix : 0);
}

size_t PlanCut(std::span<const PlanItem> ordered, const BatchLimits& limits) {
  uint64_t tokens = 0;
  uint64_t longest = 0;
  size_t count = 0;
  for (; count < ordered.size(); ++count) {
    tokens += AddedTokens(count ? &ordered[count - 1] : nullptr, ordered[count]);
    longest = std::max<uint64_t>(longest, ordered[count].length);
    const bool fits = tokens <= limits.max_tokens && longest * (count + 1) <= limits.max_padded_tokens;
    if (!fits && count > 0) break;
  }
  return count;
}

}  // namespace zrank
