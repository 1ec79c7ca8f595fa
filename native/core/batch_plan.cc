#include "core/batch_plan.h"

#include <algorithm>
#include <numeric>

namespace zrank {

namespace {

// Unless a core or GPU would stay idle (one of a team never does), no batch is cut below this many times what the next
// one would compute again.
constexpr uint64_t kMinSplitPrefixes = 8;

// Of a batch's tokens, this part at most is computed again in each batch, as far as a request's limits can be
// stretched.
constexpr uint64_t kPrefixPart = 16;

}  // namespace

BatchLimits BatchLimits::Stretched(uint64_t prefix) const {
  if (stretch <= 1) return *this;
  const uint64_t tokens = std::clamp(kPrefixPart * prefix, max_tokens, stretch * max_tokens);
  return {tokens, max_padded_tokens * tokens / max_tokens, 1};
}

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

uint64_t BatchShare(const Load& load, const Concurrency& concurrency) {
  const auto share = [&](uint64_t count) { return (load.queued_tokens + count - 1) / count; };
  const uint64_t guided = share(load.replicas * static_cast<uint64_t>(concurrency.computing));
  const uint64_t frugal = std::max(guided, kMinSplitPrefixes * load.shared_prefix);
  if (concurrency.has_team) {
    const uint64_t part = std::max(frugal, concurrency.min_split_tokens);
    const bool leaves_little = load.queued_tokens < part + concurrency.min_split_tokens;
    return leaves_little ? std::max(part, load.queued_tokens) : part;
  }
  const uint64_t busy = share(std::max<uint64_t>(load.idle, 1));  // the most that leaves none idle
  return std::max(std::min(frugal, busy), concurrency.min_split_tokens);
}

}  // namespace zrank
