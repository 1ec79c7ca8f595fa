#include "core/request_queue.h"

#include <algorithm>
#include <string>
#include <unordered_map>

namespace zrank {

namespace {

std::vector<PlanItem> PlanItems(const Work& work) {
  const size_t count = work.groups.size();
  const auto ids = [&](size_t i) {
    return std::span(work.ids).subspan(work.offsets[i], work.offsets[i + 1] - work.offsets[i]);
  };
  // A group's shared prefix: what every member has in common with its first.
  struct Group {
    size_t first;
    uint32_t prefix;
  };
  std::unordered_map<uint32_t, Group> groups;
  for (size_t i = 0; i < count; ++i) {
    const auto [entry, created] = groups.try_emplace(work.groups[i], Group{i, static_cast<uint32_t>(ids(i).size())});
    if (created) continue;
    const auto a = ids(entry->second.first), b = ids(i);
    const auto shared = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
    entry->second.prefix = std::min(entry->second.prefix, static_cast<uint32_t>(shared));
  }
  std::vector<PlanItem> items(count);
  for (size_t i = 0; i < count; ++i) {
    items[i] = {static_cast<uint32_t>(ids(i).size()), work.groups[i], groups.at(work.groups[i]).prefix};
  }
  return items;
}

}  // namespace

Request::Request(Work submitted) : work(std::move(submitted)) {
  const std::vector<PlanItem> unordered = PlanItems(work);
  order = PlanOrder(unordered);
  added.push_back(0);
  for (uint32_t index : order) {
    const PlanItem& item = unordered[index];
    added.push_back(added.back() + AddedTokens(items.empty() ? nullptr : &items.back(), item));
    items.push_back(item);
  }
}

Sequence Request::sequence(uint32_t index) const {
  const uint32_t begin = work.offsets[index], length = work.offsets[index + 1] - begin;
  return {std::span(work.ids).subspan(begin, length),
          work.type_ids.empty() ? std::span<const uint8_t>() : std::span(work.type_ids).subspan(begin, length)};
}

uint64_t Request::waiting_tokens() const {
  return taken == items.size() ? 0 : items[taken].length + added.back() - added[taken + 1];
}

uint64_t Request::Take(size_t count) {
  const uint64_t tokens = items[taken].length + added[taken + count] - added[taken + 1];
  taken += count;
  return tokens;
}

std::vector<Sequence> Batch::sequences() const {
  std::vector<Sequence> sequences;
  for (const Part& part : parts) {
    for (uint32_t index : part.indices) sequences.push_back(part.request->sequence(index));
  }
  return sequences;
}

void Batch::Deliver(std::span<const float> rows) const {
  size_t count = 0;
  for (const Part& part : parts) count += part.indices.size();
  const size_t width = rows.size() / count;
  for (const auto& [request, indices] : parts) {
    request->rows.resize(request->items.size() * width);
    for (uint32_t index : indices) {
      std::copy_n(rows.begin(), width, request->rows.begin() + static_cast<std::ptrdiff_t>(index * width));
      rows = rows.subspan(width);
    }
    request->done += indices.size();
  }
}

uint64_t RequestQueue::shared_prefix() const {
  if (empty()) return 0;
  const std::span<const PlanItem> waiting = requests_.begin()->second->waiting();
  return waiting.size() > 1 && waiting[0].group == waiting[1].group ? waiting[0].prefix : 0;
}

void RequestQueue::Push(const std::shared_ptr<Request>& request) {
  const uint64_t tokens = request->waiting_tokens(), limit = request->work.max_queue_tokens;
  if (tokens_ > 0 && tokens_ + tokens > limit) {
    throw Error(ErrorCode::kQueueFull, std::to_string(tokens_) + " tokens wait already, " + std::to_string(tokens) +
                                           " more would pass maxQueueTokens = " + std::to_string(limit));
  }
  request->turn = clock_;
  requests_.emplace(request->turn, request);
  tokens_ += tokens;
  weights_ += request->work.weight;
}

bool RequestQueue::Remove(const Request& request) {
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
    batch.parts.push_back({request, std::span(request->order).subspan(request->taken, take)});
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
