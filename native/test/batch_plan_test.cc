// The planner on literal lists, and its promises on random ones. Nothing here needs ONNX Runtime.

#include "core/batch_plan.h"

#include <algorithm>
#include <random>
#include <set>

#include "test/check.h"

namespace zrank {
namespace {

using Plan = std::vector<std::vector<uint32_t>>;

constexpr BatchLimits kAmple{1'000'000, 1'000'000};

// All batches of these items, as the queue forms them one by one: indices into `items`.
Plan PlanBatches(const std::vector<PlanItem>& items, const BatchLimits& limits) {
  const std::vector<uint32_t> order = PlanOrder(items);
  std::vector<PlanItem> ordered;
  for (uint32_t index : order) ordered.push_back(items[index]);
  Plan batches;
  for (size_t begin = 0; begin < order.size();) {
    const size_t count = PlanCut(std::span(ordered).subspan(begin), limits);
    batches.emplace_back(order.begin() + begin, order.begin() + begin + count);
    begin += count;
  }
  return batches;
}

uint64_t ComputedTokens(const std::vector<PlanItem>& ordered) {
  uint64_t tokens = 0;
  for (size_t i = 0; i < ordered.size(); ++i) tokens += AddedTokens(i ? &ordered[i - 1] : nullptr, ordered[i]);
  return tokens;
}

// Sequences of one group that share `prefix` tokens.
std::vector<PlanItem> Group(uint32_t prefix, std::vector<uint32_t> lengths, uint32_t group = 0) {
  std::vector<PlanItem> items;
  for (uint32_t length : lengths) items.push_back({length, group, prefix});
  return items;
}

TEST(plan_of_nothing_is_empty) { CHECK_EQ(PlanBatches({}, kAmple), Plan{}); }

TEST(longest_first_and_equal_lengths_keep_their_order) {
  CHECK_EQ(PlanBatches(Group(0, {3, 9, 3, 7}), kAmple), Plan{{1, 3, 0, 2}});
}

TEST(groups_stay_together_in_order_of_arrival) {
  auto items = Group(2, {5, 6}, 0);
  for (const auto& item : Group(2, {9, 4}, 1)) items.push_back(item);
  items.push_back({8, 0, 2});
  CHECK_EQ(PlanBatches(items, kAmple), Plan{{4, 1, 0, 2, 3}});
}

TEST(token_budget_cuts) {
  CHECK_EQ(PlanBatches(Group(0, {10, 10, 10, 10, 10}), {20, 1000}), Plan{{0, 1}, {2, 3}, {4}});
}

TEST(a_shared_prefix_counts_once_a_batch) {
  // 10 + 4 + 4 = 18 fit into 18; without sharing only one would.
  CHECK_EQ(PlanBatches(Group(6, {10, 10, 10, 10}), {18, 1000}), Plan{{0, 1, 2}, {3}});
}

TEST(attention_budget_cuts_by_the_longest) {
  // 3 x 10 = 30 > 25 although only 10 + 2 + 2 tokens are computed.
  CHECK_EQ(PlanBatches(Group(0, {10, 2, 2}), {1000, 25}), Plan{{0, 1}, {2}});
}

TEST(an_item_beyond_the_budget_runs_alone) {
  CHECK_EQ(PlanBatches(Group(0, {50, 5, 70, 5}), {10, 1000}), Plan{{2}, {0}, {1, 3}});
}

TEST(computed_tokens_count_each_prefix_once) {
  auto items = Group(6, {10, 8}, 0);
  for (const auto& item : Group(3, {5, 5}, 1)) items.push_back(item);
  CHECK_EQ(ComputedTokens(items), {10 + 2 + 5 + 2});
}

TEST(any_plan_has_every_sequence_once_and_keeps_its_budget) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    const size_t count = random() % 40;
    const uint32_t groups = 1 + random() % 5;
    std::vector<uint32_t> prefix(groups);
    for (auto& p : prefix) p = random() % 20;
    std::vector<PlanItem> items;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t group = random() % groups;
      items.push_back({prefix[group] + 1 + static_cast<uint32_t>(random() % 60), group, prefix[group]});
    }
    const BatchLimits limits{1 + random() % 200, 1 + random() % 300};
    std::multiset<uint32_t> seen;
    for (const auto& batch : PlanBatches(items, limits)) {
      CHECK(!batch.empty());
      std::vector<PlanItem> members;
      uint64_t longest = 0;
      for (uint32_t index : batch) {
        seen.insert(index);
        members.push_back(items[index]);
        longest = std::max<uint64_t>(longest, items[index].length);
      }
      if (batch.size() > 1) {
        CHECK(ComputedTokens(members) <= limits.max_tokens);
        CHECK(longest * batch.size() <= limits.max_padded_tokens);
      }
    }
    CHECK_EQ(seen.size(), {count});
    CHECK_EQ(std::set<uint32_t>(seen.begin(), seen.end()).size(), {count});
  }
}

TEST(a_batch_is_one_workers_share_of_what_waits) {
  const Concurrency two = CpuConcurrency(2);
  CHECK_EQ(BatchShare({.queued_tokens = 1600, .shared_prefix = 0, .idle = 2, .replicas = 1}, two), 800);
  CHECK_EQ(BatchShare({.queued_tokens = 1601, .shared_prefix = 0, .idle = 1, .replicas = 1}, two), 801);
  CHECK_EQ(BatchShare({.queued_tokens = 1600, .shared_prefix = 0, .idle = 1, .replicas = 1}, CpuConcurrency(1)), 1600);
}

TEST(a_batch_is_not_cut_below_what_a_run_costs) {
  CHECK_EQ(BatchShare({.queued_tokens = 300, .shared_prefix = 0, .idle = 2, .replicas = 1}, CpuConcurrency(2)), 256);
  CHECK_EQ(BatchShare({.queued_tokens = 1600, .shared_prefix = 0, .idle = 2, .replicas = 2}, kGpuConcurrency), 1024);
}

TEST(a_gpu_counts_once_though_it_holds_two_batches) {
  CHECK_EQ(BatchShare({.queued_tokens = 9000, .shared_prefix = 0, .idle = 3, .replicas = 3}, kGpuConcurrency), 3000);
  CHECK_EQ(BatchShare({.queued_tokens = 9000, .shared_prefix = 0, .idle = 0, .replicas = 3}, kGpuConcurrency), 3000);
}

TEST(a_shared_prefix_makes_larger_batches_but_leaves_no_worker_idle) {
  const Concurrency four = CpuConcurrency(4);
  CHECK_EQ(BatchShare({.queued_tokens = 4000, .shared_prefix = 300, .idle = 1, .replicas = 1}, four), 2400);
  CHECK_EQ(BatchShare({.queued_tokens = 4000, .shared_prefix = 300, .idle = 2, .replicas = 1}, four), 2000);
  CHECK_EQ(BatchShare({.queued_tokens = 4000, .shared_prefix = 100, .idle = 1, .replicas = 1}, four), 1000);
}

TEST(a_team_keeps_batches_whole_since_idle_workers_help) {
  const auto share = [](uint64_t queued, uint64_t prefix, uint64_t idle, int workers) {
    return BatchShare({.queued_tokens = queued, .shared_prefix = prefix, .idle = idle, .replicas = 1},
                      CpuConcurrency(workers, /*has_team=*/true));
  };
  for (const int workers : {2, 16, 64}) {
    // One to ten short documents are one batch, in which all work.
    for (uint64_t documents = 1; documents <= 10; ++documents)
      CHECK(share(30 + 40 * documents, 30, static_cast<uint64_t>(workers), workers) >= 30 + 40 * documents);
    // Nor is one cut of which less than a batch would be left.
    CHECK_EQ(share(1500, 40, static_cast<uint64_t>(workers), workers), uint64_t{1500});
    CHECK_EQ(share(2047, 40, static_cast<uint64_t>(workers), workers), uint64_t{2047});
    CHECK_EQ(share(2048, 40, static_cast<uint64_t>(workers), workers), uint64_t{1024});
    // A long query is computed again in an eighth of the work at most.
    CHECK_EQ(share(4000, 300, static_cast<uint64_t>(workers), workers), uint64_t{2400});
  }
  // What is worth cutting goes to all: two workers, and of 64 as many as get 1,024 tokens each.
  CHECK_EQ(share(4000, 20, 2, 2), uint64_t{2000});
  CHECK_EQ(share(40'000, 20, 16, 16), uint64_t{2500});
  CHECK_EQ(share(10'000, 20, 64, 64), uint64_t{1024});
}

TEST(a_long_prefix_stretches_the_limits) {
  const BatchLimits limits{2048, 8192, 3};
  const auto tokens = [&](uint64_t prefix) { return limits.Stretched(prefix).max_tokens; };
  CHECK_EQ(tokens(0), uint64_t{2048});
  CHECK_EQ(tokens(128), uint64_t{2048});
  CHECK_EQ(tokens(300), uint64_t{4800});
  CHECK_EQ(tokens(1000), uint64_t{3 * 2048});
  CHECK_EQ(limits.Stretched(256).max_padded_tokens, uint64_t{2 * 8192});
  CHECK_EQ((BatchLimits{2048, 8192}.Stretched(1000).max_tokens), uint64_t{2048});
}

}  // namespace
}  // namespace zrank
