#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/batch_plan.h"
#include "core/error.h"
#include "core/pack.h"

namespace zrank {

// The rows of a request's sequences in the order they came in, or why there are none.
using Outcome = std::variant<std::vector<float>, Error>;

// Sequences that a caller submits, all of its call or some. Everything in it is a copy: nothing that JavaScript owns
// reaches another thread.
struct Block {
  std::vector<int32_t> ids;       // all sequences, one after the other
  std::vector<uint8_t> type_ids;  // as long as ids, or empty
  std::vector<uint32_t> offsets;  // [sequences + 1] where each begins and ends in ids
  std::vector<uint32_t> groups;   // [sequences] equal for sequences that begin alike (the documents of one query)
  // About how many times as many tokens as the call has brought so far are still to come; 0 with its last block.
  double to_come = 0;
};

// What a caller submits.
struct Work {
  Block block;  // the first of its sequences, or all
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

  Work work;  // its block has been moved away
  const std::chrono::steady_clock::time_point submitted = std::chrono::steady_clock::now();
  std::vector<uint32_t> order;  // sequence indices as they enter batches
  std::vector<PlanItem> items;  // in that order
  std::vector<uint64_t> added;  // [items + 1] tokens that items[0, i) add to one batch, summed
  double to_come = 0;           // as the last block said
  uint64_t ticket = 0;
  uint64_t turn = 0;       // of the queue's clock, when its next sequences are due
  uint64_t announced = 0;  // tokens that the queue holds room for though they are not here yet
  size_t taken = 0;        // how many of the items batches have taken
  size_t done = 0;
  std::vector<float> rows;

  // Further sequences, in one order with those that wait.
  void Append(Block block);
  // Valid as long as the request, whatever is appended.
  const Sequence& sequence(uint32_t index) const { return sequences_[index]; }
  std::span<const PlanItem> waiting() const { return std::span(items).subspan(taken); }
  // As one batch of all that waits would compute.
  uint64_t waiting_tokens() const;
  // About as many as blocks will bring.
  uint64_t tokens_to_come() const;
  // Gives the next items, of which there are as many, to a batch. Returns the tokens that they add to it.
  uint64_t Take(size_t count);
  bool IsDone() const { return to_come == 0 && done == items.size(); }

 private:
  // A group's shared prefix: what every member has in common with its first.
  struct Group {
    uint32_t first;
    uint32_t prefix;
  };

  std::deque<Block> blocks_;  // whose memory the sequences are
  std::vector<Sequence> sequences_;
  std::unordered_map<uint32_t, Group> groups_;
};

// Sequences of one or several requests. Read without the queue's lock: while a batch runs its requests may grow.
struct Batch {
  struct Part {
    std::shared_ptr<Request> request;
    std::vector<uint32_t> indices;  // of the request's sequences
    std::vector<Sequence> sequences;
    bool is_first;  // of the request's
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
// is due at the clock's time, and one that waits for its next block not before it. The clock runs as it would with one
// more request of the least weight: so a newcomer comes before who has had a batch already, and however many come,
// nobody's turn stays ahead of the clock for ever.
class RequestQueue {
 public:
  bool empty() const { return requests_.empty(); }
  // That wait.
  uint64_t tokens() const { return tokens_; }
  // That requests have announced, and that are not here yet.
  uint64_t announced() const { return announced_; }
  // What a cut of the next batch leaves to compute again.
  uint64_t shared_prefix() const;

  // Throws QUEUE_FULL, but an empty queue takes a request of any size: nothing above a small limit could run otherwise.
  // What a request announces counts as if it were here.
  void Push(const std::shared_ptr<Request>& request);
  // The next block of a request that announced it, and so has its room: it is never refused.
  void Append(const std::shared_ptr<Request>& request, Block block);
  // Whether it waited here, or was to.
  bool Remove(Request& request);
  // Cuts the next batch from a queue that is not empty. The request that is due goes first, the others fill what room
  // its limits, and `max_tokens`, leave.
  Batch Next(uint64_t max_tokens);

 private:
  std::vector<PlanItem> Candidates(uint64_t max_tokens) const;
  void Insert(const std::shared_ptr<Request>& request);
  // Holds room for as many tokens of a request that are not here yet, instead of what it held before.
  void Announce(Request& request, uint64_t tokens);

  // Those of which something waits, by turn, and in order of arrival where they are due together.
  std::multimap<uint64_t, std::shared_ptr<Request>> requests_;
  uint64_t tokens_ = 0;
  uint64_t announced_ = 0;
  uint64_t clock_ = 0;
  uint64_t weights_ = 0;  // of the requests
};

}  // namespace zrank
