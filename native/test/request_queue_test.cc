// The queue on literal requests: no thread, no lock, no model. Nothing here needs ONNX Runtime.

#include "core/request_queue.h"

#include <algorithm>

#include "core/words.h"
#include "test/check.h"

namespace zrank {
namespace {

// A request for sequences of one id each that repeats, given as its lengths; a group for all. Unlimited but for
// `max_tokens`.
std::shared_ptr<Request> Lengths(const std::vector<uint32_t>& lengths, uint64_t max_tokens = 1000,
                                 uint64_t max_queue_tokens = 1000, uint32_t weight = 1) {
  Work work;
  Block& block = work.block;
  block.offsets.push_back(0);
  for (uint32_t length : lengths) {
    block.ids.insert(block.ids.end(), length, static_cast<int32_t>(block.groups.size()));
    block.offsets.push_back(static_cast<uint32_t>(block.ids.size()));
    block.groups.push_back(0);
  }
  work.limits = {max_tokens, 1'000'000};
  work.max_queue_tokens = max_queue_tokens;
  work.weight = weight;
  return std::make_shared<Request>(std::move(work));
}

// A request for sequences of `length` that share their first `prefix` tokens.
std::shared_ptr<Request> Alike(size_t count, uint32_t prefix, uint32_t length, BatchLimits limits = {1000, 1'000'000}) {
  Work work;
  Block& block = work.block;
  block.offsets.push_back(0);
  for (size_t i = 0; i < count; ++i) {
    block.ids.insert(block.ids.end(), prefix, -1);
    block.ids.insert(block.ids.end(), length - prefix, static_cast<int32_t>(i));
    block.offsets.push_back(static_cast<uint32_t>(block.ids.size()));
    block.groups.push_back(7);
  }
  work.limits = limits;
  work.max_queue_tokens = 1000;
  return std::make_shared<Request>(std::move(work));
}

// What a batch has of each request.
std::vector<std::vector<uint32_t>> Indices(const Batch& batch) {
  std::vector<std::vector<uint32_t>> indices;
  for (const auto& part : batch.parts) indices.emplace_back(part.indices.begin(), part.indices.end());
  return indices;
}

TEST(a_request_orders_its_sequences_and_counts_a_shared_prefix_once) {
  const auto mixed = Lengths({3, 9, 3, 7}), alike = Alike(4, 6, 10);
  CHECK_EQ(mixed->order, {1, 3, 0, 2});
  CHECK_EQ(mixed->waiting_tokens(), 22);
  CHECK_EQ(alike->waiting_tokens(), 22);
  CHECK_EQ(alike->added, {0, 10, 14, 18, 22});
}

TEST(batches_are_cut_at_the_limit_of_the_request_or_of_the_caller) {
  RequestQueue queue;
  queue.Push(Lengths({4, 4, 4, 4}, 8));
  CHECK_EQ(queue.tokens(), 16);
  CHECK_EQ(Indices(queue.Next(1000)), {{0, 1}});
  CHECK_EQ(queue.tokens(), 8);
  CHECK_EQ(Indices(queue.Next(5)), {{2}});
  CHECK_EQ(Indices(queue.Next(1)), {{3}});
  CHECK_EQ(queue.tokens(), 0);
  CHECK(queue.empty());
}

TEST(a_long_prefix_stretches_a_batch_unless_others_wait) {
  const BatchLimits limits{.max_tokens = 20, .max_padded_tokens = 1'000'000, .stretch = 3};
  RequestQueue queue;
  queue.Push(Alike(30, 6, 10, limits));
  CHECK_EQ(Indices(queue.Next(1000)).front().size(), 13u);  // 6 + 13 x 4 tokens of 60
  RequestQueue shared;
  shared.Push(Alike(30, 6, 10, limits));
  shared.Push(Lengths({100}));
  CHECK_EQ(Indices(shared.Next(1000)).front().size(), 3u);  // 6 + 3 x 4 of 20
}

TEST(of_requests_that_are_due_together_the_oldest_goes_first_and_others_fill_what_it_leaves) {
  RequestQueue queue;
  queue.Push(Lengths({5, 5}, 12));
  queue.Push(Lengths({1, 4, 1}));
  CHECK_EQ(Indices(queue.Next(1000)), {{0, 1}});
  CHECK_EQ(Indices(queue.Next(5)), {{1, 0}});
  CHECK_EQ(Indices(queue.Next(1000)), {{2}});

  queue.Push(Lengths({5, 5}, 20));
  queue.Push(Lengths({1, 4, 1}));
  CHECK_EQ(Indices(queue.Next(1000)), {{0, 1}, {1, 0, 2}});
  CHECK(queue.empty());
}

// The sequences that each of the next batches of at most `max_tokens` has of `requests`.
std::vector<std::vector<size_t>> Shares(RequestQueue& queue, const std::vector<std::shared_ptr<Request>>& requests,
                                        size_t batches, uint64_t max_tokens) {
  std::vector<std::vector<size_t>> shares;
  for (size_t i = 0; i < batches; ++i) {
    const Batch batch = queue.Next(max_tokens);
    std::vector<size_t> share(requests.size());
    for (const auto& part : batch.parts) {
      const auto found = std::find(requests.begin(), requests.end(), part.request);
      if (found != requests.end()) share[static_cast<size_t>(found - requests.begin())] += part.indices.size();
    }
    shares.push_back(share);
  }
  return shares;
}

TEST(a_newcomer_comes_before_who_has_had_a_batch) {
  RequestQueue queue;
  const auto large = Lengths(std::vector<uint32_t>(100, 4)), small = Lengths({1, 1});
  queue.Push(large);
  CHECK_EQ(Shares(queue, {large}, 3, 8), {{2}, {2}, {2}});
  queue.Push(small);
  CHECK_EQ(Shares(queue, {small, large}, 2, 8), {{2, 1}, {0, 2}});
}

TEST(large_requests_take_turns) {
  RequestQueue queue;
  const auto first = Lengths({4, 4, 4}), second = Lengths({4, 4, 4});
  queue.Push(first);
  queue.Push(second);
  CHECK_EQ(Shares(queue, {first, second}, 6, 4), {{1, 0}, {0, 1}, {1, 0}, {0, 1}, {1, 0}, {0, 1}});
}

TEST(tokens_are_shared_by_weight) {
  RequestQueue queue;
  const auto heavy = Lengths(std::vector<uint32_t>(100, 1), 1000, 1000, 4);
  const auto light = Lengths(std::vector<uint32_t>(100, 1));
  queue.Push(light);
  queue.Push(heavy);
  std::vector<size_t> sums(2);
  for (const auto& share : Shares(queue, {heavy, light}, 50, 1)) sums[0] += share[0], sums[1] += share[1];
  CHECK_EQ(sums, {40, 10});
}

TEST(newcomers_without_end_leave_the_others_their_share) {
  RequestQueue queue;
  const auto old = Lengths(std::vector<uint32_t>(100, 4));
  queue.Push(old);
  size_t batches_of_old = 0;
  for (size_t i = 0; i < 60; ++i) {
    queue.Push(Lengths({4}));
    batches_of_old += Shares(queue, {old}, 1, 4)[0][0];
  }
  // Twenty if every second batch were one of them alone, and the queue of newcomers grows besides.
  CHECK(batches_of_old >= 5);
}

TEST(requests_share_no_prefix_with_each_other) {
  RequestQueue queue;
  queue.Push(Alike(2, 6, 10));
  queue.Push(Alike(2, 6, 10));
  CHECK_EQ(queue.tokens(), 28);
  CHECK_EQ(Indices(queue.Next(27)), {{0, 1}, {0}});
  // What is left has nobody to share with in its batch.
  CHECK_EQ(queue.tokens(), 10);
}

TEST(the_prefix_of_the_next_batch_is_what_a_cut_computes_again) {
  RequestQueue queue;
  CHECK_EQ(queue.shared_prefix(), 0);
  queue.Push(Alike(3, 6, 10));
  CHECK_EQ(queue.shared_prefix(), 6);
  queue.Next(14);
  CHECK_EQ(queue.shared_prefix(), 0);
}

TEST(a_full_queue_takes_no_more_but_an_empty_one_any) {
  RequestQueue queue;
  queue.Push(Lengths({50}, 1000, 10));
  std::string message;
  try {
    queue.Push(Lengths({3, 2}, 1000, 54));
  } catch (const Error& error) {
    message = std::string(Word(error.code())) + ": " + error.what();
  }
  CHECK_EQ(message, "QUEUE_FULL: 50 tokens wait already, 5 more would pass maxQueueTokens = 54");
  CHECK_EQ(queue.tokens(), 50);
  queue.Push(Lengths({3, 2}, 1000, 55));
  CHECK_EQ(queue.tokens(), 55);
}

// A block of sequences of these lengths, which begin like those of Alike().
Block MoreAlike(const std::vector<uint32_t>& lengths, uint32_t prefix, double to_come = 0) {
  Block block;
  block.offsets.push_back(0);
  for (uint32_t length : lengths) {
    block.ids.insert(block.ids.end(), prefix, -1);
    block.ids.insert(block.ids.end(), length - prefix, 100 + static_cast<int32_t>(block.groups.size()));
    block.offsets.push_back(static_cast<uint32_t>(block.ids.size()));
    block.groups.push_back(7);
  }
  block.to_come = to_come;
  return block;
}

TEST(a_block_joins_what_waits_longest_first_and_shares_its_prefix) {
  RequestQueue queue;
  const auto request = Alike(3, 6, 10);
  queue.Push(request);
  CHECK_EQ(Indices(queue.Next(10)), {{0}});
  queue.Append(request, MoreAlike({9, 12}, 5));
  CHECK_EQ(request->order, {0, 4, 1, 2, 3});
  // They share five tokens with the first block's.
  CHECK_EQ(queue.tokens(), 12 + 5 + 5 + 4);
  CHECK_EQ(queue.shared_prefix(), 5);
  CHECK_EQ(Indices(queue.Next(1000)), {{4, 1, 2, 3}});
  CHECK(queue.empty());
}

TEST(a_block_leaves_its_request_in_its_place) {
  RequestQueue queue;
  const auto first = Lengths({4}), second = Lengths({4});
  queue.Push(first);
  queue.Push(second);
  queue.Append(first, MoreAlike({3}, 1));
  CHECK_EQ(Shares(queue, {first, second}, 1, 7), {{2, 0}});
  // It has had seven tokens: the other, which has had none, comes first.
  queue.Append(first, MoreAlike({3}, 1));
  CHECK_EQ(Shares(queue, {first, second}, 2, 3), {{0, 1}, {1, 0}});
}

TEST(what_is_announced_holds_room) {
  RequestQueue queue;
  const auto first = Alike(1, 6, 10), second = Lengths({4}, 1000, 33);
  first->to_come = 2;
  queue.Push(first);
  CHECK_EQ(queue.tokens(), 10);
  CHECK_EQ(queue.announced(), 20);
  queue.Next(1000);
  CHECK(queue.empty());
  queue.Push(second);
  bool refused = false;
  try {
    queue.Push(Lengths({10}, 1000, 33));
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kQueueFull;
  }
  CHECK(refused);
  // Whatever comes of it.
  queue.Append(first, MoreAlike({100}, 6, 0.5));
  CHECK_EQ(queue.announced(), 52);
  queue.Append(first, MoreAlike({10}, 6));
  CHECK_EQ(queue.announced(), 0);
  CHECK_EQ(queue.tokens(), 4 + 100 + 4);
}

TEST(a_request_that_is_removed_takes_its_tokens_along) {
  RequestQueue queue;
  const auto first = Lengths({4, 4}), second = Lengths({3});
  queue.Push(first);
  queue.Push(second);
  queue.Next(4);
  CHECK(queue.Remove(*first));
  CHECK(!queue.Remove(*first));
  CHECK_EQ(queue.tokens(), 3);
  CHECK_EQ(Indices(queue.Next(1000)), {{0}});
}

TEST(rows_go_where_their_sequences_came_from) {
  RequestQueue queue;
  const auto first = Lengths({1, 3}), second = Lengths({2});
  queue.Push(first);
  queue.Push(second);
  const Batch batch = queue.Next(1000);
  std::vector<size_t> lengths;
  for (const Sequence& sequence : batch.sequences()) lengths.push_back(sequence.ids.size());
  CHECK_EQ(lengths, {3, 1, 2});
  batch.Deliver(std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK_EQ(first->rows, {3, 4, 1, 2});
  CHECK_EQ(second->rows, {5, 6});
  CHECK_EQ(first->done, 2);
}

}  // namespace
}  // namespace zrank
