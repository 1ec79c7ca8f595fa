#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "core/batch_plan.h"
#include "core/error.h"
#include "core/pack.h"

namespace zrank {

// The rows of a request's sequences in the order they came in, or why there are none.
using Outcome = std::variant<std::vector<float>, Error>;

// What a caller submits. Everything in it is a copy: nothing that JavaScript owns reaches another thread.
struct Work {
  std::vector<int32_t> ids;       // all sequences, one after the other
  std::vector<uint8_t> type_ids;  // as long as ids, or empty
  std::vector<uint32_t> offsets;  // [sequences + 1] where each begins and ends in ids
  std::vector<uint32_t> groups;   // [sequences] equal for sequences that begin alike (the documents of one query)
  BatchLimits limits{};
  uint64_t max_queue_tokens = 0;  // refuse when more than this waits already
  uint32_t weight = 1;            // its share of the tokens beside requests of other weights, 1 to kMaxWeight
  // All are called on the thread that runs the batch (on_done also on the one that cancels), never under a lock.
  std::function<void(double waited)> on_start;  // its first sequences are in a batch, after so many seconds
  std::function<void(size_t sequences_done)> on_progress;
  std::function<void(Outcome)> on_done;
};

inline constexpr uint32_t kMaxWeight = 16;

// Work in the order in which its sequences enter batches, and how far it is.
struct Request {
  explicit Request(Work work);

  const Work work;
  const std::chrono::steady_clock::time_point submitted = std::chrono::steady_clock::now();
  std::vector<uint32_t> order;  // sequence indices as they enter batches
  std::vector<PlanItem> items;  // in that order
  std::vector<uint64_t> added;  // [items + 1] tokens that items[0, i) add to one batch, summed
  uint64_t ticket = 0;
  uint64_t turn = 0;  // of the queue's clock, when its next sequences are due
  size_t taken = 0;   // how many of the items batches have taken
  size_t done = 0;
  std::vector<float> rows;

  Sequence sequence(uint32_t index) const;
  std::span<const PlanItem> waiting() const { return std::span(items).subspan(taken); }
  // As one batch of all that waits would compute.
  uint64_t waiting_tokens() const;
  // Gives the next items, of which there are as many, to a batch. Returns the tokens that they add to it.
  uint64_t Take(size_t count);
};

// Sequences of one or several requests.
struct Batch {
  struct Part {
    std::shared_ptr<Request> request;
    std::span<const uint32_t> indices;  // of the request's sequences

    bool IsFirst() const { return indices.data() == request->order.data(); }
  };
  std::vector<Part> parts;

  std::vector<Sequence> sequences() const;
  // Puts [sequences, width] where the sequences came from.
  void Deliver(std::span<const float> rows) const;
};

// Requests with sequences that no batch has taken. Its owner has the lock.
//
// Requests share the tokens by weight, whatever their size: start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM
// 1996). A request is due at its turn, which moves on by the tokens that batches take of it, over its weight; a new one
// is due at the clock's time. The clock runs as it would with one more request of the least weight: so a newcomer comes
// before who has had a batch already, and however many come, nobody's turn stays ahead of the clock for ever.
class RequestQueue {
 public:
  bool empty() const { return requests_.empty(); }
  uint64_t tokens() const { return tokens_; }
  // What a cut of the next batch leaves to compute again.
  uint64_t shared_prefix() const;

  // Throws QUEUE_FULL, but an empty queue takes a request of any size: nothing above a small limit could run otherwise.
  void Push(const std::shared_ptr<Request>& request);
  // Whether it waited here.
  bool Remove(const Request& request);
  // Cuts the next batch from a queue that is not empty. The request that is due goes first, the others fill what room
  // its limits, and `max_tokens`, leave.
  Batch Next(uint64_t max_tokens);

 private:
  std::vector<PlanItem> Candidates(uint64_t max_tokens) const;

  // By turn, and in order of arrival where they are due together.
  std::multimap<uint64_t, std::shared_ptr<Request>> requests_;
  uint64_t tokens_ = 0;
  uint64_t clock_ = 0;
  uint64_t weights_ = 0;  // of the requests
};

}  // namespace zrank
