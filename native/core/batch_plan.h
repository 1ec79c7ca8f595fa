#pragma once

#include <algorithm>
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
  uint64_t stretch = 1;        // times both, at most, for the sake of a long shared prefix

  // For sequences that share so many tokens.
  BatchLimits Stretched(uint64_t prefix) const;
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

// How a replica of a model takes batches: where, for the queue, a CPU and a GPU differ.
struct Concurrency {
  int runs;       // at once
  int computing;  // of these, side by side; the others have their batch planned, packed and copied meanwhile
  uint64_t min_split_tokens;  // no smaller batch is cut for balance, nor left by a cut where there is a team: the run's
                              // fixed cost would outweigh the gain
  bool has_threads;           // of the engine's own, one a run; else its callers run the batches
  bool has_team;              // a thread without a batch helps inside those of others
};
constexpr Concurrency CpuConcurrency(int workers, bool has_team = false) {
  return {workers, workers, has_team ? 1024u : 256u, false, has_team};
}
constexpr Concurrency kGpuConcurrency{2, 1, 1024, true, false};

// Of replicas, which count their `runs`, the one with the fewest, so that no batch is staged on a busy GPU while
// another has none; null where it may take no more.
template <typename Replica>
Replica* FreeReplica(std::vector<Replica>& replicas, const Concurrency& concurrency) {
  const auto least = std::ranges::min_element(replicas, {}, &Replica::runs);
  return least->runs < concurrency.runs ? &*least : nullptr;
}

// Runs that could compute at once.
template <typename Replica>
uint64_t IdleRuns(const std::vector<Replica>& replicas, const Concurrency& concurrency) {
  uint64_t idle = 0;
  for (const Replica& replica : replicas) {
    idle += static_cast<uint64_t>(std::max(0, concurrency.computing - replica.runs));
  }
  return idle;
}

// What a batch's share depends on.
struct Load {
  uint64_t queued_tokens;
  uint64_t shared_prefix;  // what a cut would leave to compute again
  uint64_t idle;           // of IdleRuns
  uint64_t replicas;
};

// Tokens of a batch that balance cores or GPUs: guided self-scheduling (Polychronopoulos and Kuck, IEEE Transactions on
// Computers 36(12), 1987), where each takes its share of what is left, so that all end at about the same time.
uint64_t BatchShare(const Load& load, const Concurrency& concurrency);

}  // namespace zrank
