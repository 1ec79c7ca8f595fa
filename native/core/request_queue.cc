#include "core/request_queue.h"

#include <algorithm>
#include <string>
#include <utility>

namespace zrank {

namespace {

Sequence SequenceOf(const Block& block, size_t i) {
  const uint32_t begin = block.offsets[i], length = block.offsets[i + 1] - begin;
  return {std::span(block.ids).subspan(begin, length),
          block.type_ids.empty() ? std::span<const uint8_t>() : std::span(block.type_ids).subspan(begin, length)};
}

}  // namespace

Request::Request(Work submitted) : work(std::move(submitted)) {
  added.push_back(0);
  Append(std::move(work.block));
}

void Request::Append(Block appended) {
  const Block& block = blocks_.emplace_back(std::move(appended));
  to_come = block.to_come;
  std::vector<PlanItem> waiting(items.begin() + static_cast<std::ptrdiff_t>(taken), items.end());
  std::vector<uint32_t> indices(order.begin() + static_cast<std::ptrdiff_t>(taken), order.end());
  for (size_t i = 0; i < block.groups.size(); ++i) {
    const auto index = static_cast<uint32_t>(sequences_.size());
    const std::span<const int32_t> ids = sequences_.emplace_back(SequenceOf(block, i)).ids;
    const auto length = static_cast<uint32_t>(ids.size());
    Group& group = groups_.try_emplace(block.groups[i], Group{index, length}).first->second;
    const std::span<const int32_t> first = sequences_[group.first].ids;
    const auto shared = std::mismatch(first.begin(), first.end(), ids.begin(), ids.end()).first - first.begin();
    group.prefix = std::min(group.prefix, static_cast<uint32_t>(shared));
    waiting.push_back({length, block.groups[i], 0});
    indices.push_back(index);
  }
  for (PlanItem& item : waiting) item.prefix = groups_.at(item.group).prefix;

  order.resize(taken);
  items.resize(taken);
  added.resize(taken + 1);
  for (uint32_t place : PlanOrder(waiting)) {
    const PlanItem& item = waiting[place];
    order.push_back(indices[place]);
    added.push_back(added.back() + AddedTokens(items.empty() ? nullptr : &items.back(), item));
    items.push_back(item);
  }
}

uint64_t Request::waiting_tokens() const {
  return taken == items.size() ? 0 : items[taken].length + added.back() - added[taken + 1];
}

uint64_t Request::tokens_to_come() const { return static_cast<uint64_t>(to_come * static_cast<double>(added.back())); }

uint64_t Request::Take(size_t count) {
  const uint64_t tokens = items[taken].length + added[taken + count] - added[taken + 1];
  taken += count;
  return tokens;
}

std::vector<Sequence> Batch::sequences() const {
  std::vector<Sequence> sequences;
  for (const Part& part : parts) {
    sequences.insert(sequences.end(), part.sequences.begin(), part.sequences.end());
  }
  return sequences;
}

void Batch::Deliver(std::span<const float> rows) const {
  size_t count = 0;
  for (const Part& part : parts) count += part.indices.size();
  const size_t width = rows.size() / count;
  for (const Part& part : parts) {
    Request& request = *part.request;
    request.rows.resize(request.items.size() * width);
    for (uint32_t index : part.indices) {
      std::copy_n(rows.begin(), width, request.rows.begin() + static_cast<std::ptrdiff_t>(index * width));
      rows = rows.subspan(width);
    }
    request.done += part.indices.size();
  }
}

uint64_t RequestQueue::shared_prefix() const {
  if (empty()) return 0;
  const std::span<const PlanItem> waiting = requests_.begin()->second->waiting();
  return waiting.size() > 1 && waiting[0].group == waiting[1].group ? waiting[0].prefix : 0;
}

void RequestQueue::Push(const std::shared_ptr<Request>& request) {
  const uint64_t limit = request->work.max_queue_tokens, waiting = tokens_ + announced_;
  const uint64_t tokens = request->waiting_tokens() + request->tokens_to_come();
  if (waiting > 0 && waiting + tokens > limit) {
    throw Error(ErrorCode::kQueueFull, std::to_string(waiting) + " tokens wait already, " + std::to_string(tokens) +
                                           " more would pass maxQueueTokens = " + std::to_string(limit));
  }
  Insert(request);
  Announce(*request, request->tokens_to_come());
}

void RequestQueue::Append(const std::shared_ptr<Request>& request, Block block) {
  const bool waits = !request->waiting().empty();
  tokens_ -= request->waiting_tokens();
  request->Append(std::move(block));
  if (waits) {
    tokens_ += request->waiting_tokens();
  } else {
    Insert(request);
  }
  Announce(*request, request->tokens_to_come());
}

void RequestQueue::Insert(const std::shared_ptr<Request>& request) {
  request->turn = std::max(request->turn, clock_);
  requests_.emplace(request->turn, request);
  tokens_ += request->waiting_tokens();
  weights_ += request->work.weight;
}

void RequestQueue::Announce(Request& request, uint64_t tokens) {
  announced_ += tokens - std::exchange(request.announced, tokens);
}

bool RequestQueue::Remove(Request& request) {
  Announce(request, 0);
  const auto [begin, end] = requests_.equal_range(request.turn);
  const auto found = std::find_if(begin, end, [&](const auto& entry) { return entry.second.get() == &request; });
  if (found == end) return false;
  tokens_ -= request.waiting_tokens();
  weights_ -= request.work.weight;
  requests_.erase(found);
  return true;
}

std::vector<PlanItem> RequestQueue::Candidates(uint64_t max_tokens) const {
  std::vector<PlanItem> candidates;
  uint64_t tokens = 0;
  uint32_t group = 0;  // groups of different requests are different groups
  for (const auto& [turn, request] : requests_) {
    uint32_t previous = request->waiting().front().group;
    for (PlanItem item : request->waiting()) {
      if (item.group != previous) ++group;
      previous = item.group;
      item.group = group;
      tokens += AddedTokens(candidates.empty() ? nullptr : &candidates.back(), item);
      candidates.push_back(item);
      if (tokens > max_tokens) return candidates;
    }
    ++group;
  }
  return candidates;
}

Batch RequestQueue::Next(uint64_t max_tokens) {
  BatchLimits limits = requests_.begin()->second->work.limits;
  // Not before others, who would wait longer.
  if (requests_.size() == 1) limits = limits.Stretched(shared_prefix());
  limits.max_tokens = std::min(limits.max_tokens, max_tokens);
  size_t count = PlanCut(Candidates(limits.max_tokens), limits);
  clock_ = std::max(clock_, requests_.begin()->first);
  const uint64_t weights = weights_ + 1;

  Batch batch;
  uint64_t tokens = 0;
  std::vector<std::shared_ptr<Request>> waiting;  // of whom something is left
  while (count > 0) {
    const std::shared_ptr<Request> request = requests_.begin()->second;
    requests_.erase(requests_.begin());
    const size_t take = std::min(count, request->waiting().size());
    count -= take;
    tokens_ -= request->waiting_tokens();
    Batch::Part& part = batch.parts.emplace_back(request);
    part.is_first = request->taken == 0;
    const auto indices = std::span(request->order).subspan(request->taken, take);
    part.indices.assign(indices.begin(), indices.end());
    for (uint32_t index : indices) part.sequences.push_back(request->sequence(index));
    const uint64_t taken = request->Take(take);
    tokens += taken;
    tokens_ += request->waiting_tokens();
    request->turn += taken * kMaxWeight / request->work.weight;
    if (request->waiting().empty()) {
      weights_ -= request->work.weight;
    } else {
      waiting.push_back(request);
    }
  }
  for (const auto& request : waiting) requests_.emplace(request->turn, request);
  clock_ += tokens * kMaxWeight / weights;
  return batch;
}

}  // namespace zrank
