#include "core/engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <unordered_map>

namespace zrank {

namespace {

// Below this, a batch is not split for the sake of balance: the run's fixed cost would outweigh the gain.
constexpr uint64_t kMinSplitTokens = 256, kMinSplitTokensOfGpu = 1024;

// Nor, unless a core or GPU would stay idle, below this many times what the next batch would compute again.
constexpr uint64_t kMinSplitPrefixes = 8;

// A GPU computes one batch at a time; a second one is planned, packed and copied to it meanwhile.
constexpr int kRunsPerGpu = 2;

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

struct Engine::Request {
  uint64_t ticket;
  Work work;
  std::vector<uint32_t> order;  // sequence indices as they enter batches
  std::vector<PlanItem> items;  // in that order
  size_t taken = 0;             // how many of them batches have taken
  size_t done = 0;
  std::vector<float> rows;
  std::vector<uint64_t> added;  // [items + 1] tokens that items[0, i) add to one batch, summed

  Sequence sequence(uint32_t index) const {
    const uint32_t begin = work.offsets[index], length = work.offsets[index + 1] - begin;
    return {std::span(work.ids).subspan(begin, length),
            work.type_ids.empty() ? std::span<const uint8_t>() : std::span(work.type_ids).subspan(begin, length)};
  }
  std::span<const PlanItem> waiting() const { return std::span(items).subspan(taken); }
  // As a batch of all that waits would compute.
  uint64_t waiting_tokens() const {
    return taken == items.size() ? 0 : items[taken].length + added.back() - added[taken + 1];
  }
};

struct Engine::Batch {
  struct Part {
    std::shared_ptr<Request> request;
    std::span<const uint32_t> indices;  // of the request's sequences
  };
  std::vector<Part> parts;
};

Engine::Engine(const EngineSpec& spec)
    : on_gpus_(spec.on_gpus), runs_per_replica_(spec.on_gpus ? kRunsPerGpu : spec.workers), make_safer_(spec.safer) {
  for (const auto& make : spec.replicas) replicas_.push_back({make()});
  const size_t threads = on_gpus_ ? replicas_.size() * kRunsPerGpu : 0;
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Serve(); });
}

Engine::~Engine() {
  Abandon();
  JoinThreads();
}

void Engine::Abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  for (Ort::RunOptions* run : running_) run->SetTerminate();
  changed_.notify_all();
}

void Engine::JoinThreads() {
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Engine::Serve() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return abandoned_ || !queue_.empty(); });
      if (abandoned_) return;
    }
    while (RunNext(false)) continue;
  }
}

EngineCounters Engine::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

uint64_t Engine::Submit(Work work) {
  auto request = std::make_shared<Request>();
  const std::vector<PlanItem> items = PlanItems(work);
  request->order = PlanOrder(items);
  for (uint32_t index : request->order) request->items.push_back(items[index]);
  request->added.push_back(0);
  for (size_t i = 0; i < items.size(); ++i) {
    request->added.push_back(request->added.back() +
                             AddedTokens(i ? &request->items[i - 1] : nullptr, request->items[i]));
  }
  const uint64_t tokens = request->waiting_tokens();
  request->work = std::move(work);

  const std::lock_guard lock(mutex_);
  if (abandoned_) throw Error(ErrorCode::kClosed, "the process is exiting");
  // An empty queue takes a request of any size; otherwise nothing above a small limit could ever run.
  if (queued_tokens_ > 0 && queued_tokens_ + tokens > request->work.max_queue_tokens) {
    throw Error(ErrorCode::kQueueFull,
                std::to_string(queued_tokens_) + " tokens wait already, " + std::to_string(tokens) +
                    " more would pass maxQueueTokens = " + std::to_string(request->work.max_queue_tokens));
  }
  request->ticket = next_ticket_++;
  queued_tokens_ += tokens;
  queue_.push_back(request);
  open_.push_back(request);
  changed_.notify_all();
  return request->ticket;
}

void Engine::Cancel(uint64_t ticket) {
  std::shared_ptr<Request> request;
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(open_.begin(), open_.end(), [&](const auto& r) { return r->ticket == ticket; });
    if (found == open_.end()) return;
    request = *found;
  }
  Finish(request, Error(ErrorCode::kAborted, "the call was aborted"));
}

void Engine::Wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

bool Engine::RunNext(const std::atomic<bool>& stop) {
  std::unique_lock lock(mutex_);
  Replica* replica = nullptr;
  changed_.wait(lock, [&] { return stop || abandoned_ || queue_.empty() || (replica = FreeReplica()) != nullptr; });
  if (stop || abandoned_ || queue_.empty()) return false;
  Batch batch = NextBatch(*replica);
  ++replica->runs;
  lock.unlock();
  Run(std::move(batch), *replica);
  return true;
}

// The one with the fewest runs: no batch is staged on a busy GPU while another has none.
Engine::Replica* Engine::FreeReplica() {
  const auto least = std::min_element(replicas_.begin(), replicas_.end(),
                                      [](const auto& a, const auto& b) { return a.runs < b.runs; });
  return least->runs < runs_per_replica_ ? &*least : nullptr;
}

// Batches that could be computed at once now, beside those that run.
uint64_t Engine::Idle() const {
  uint64_t idle = 0;
  for (const Replica& replica : replicas_) idle += static_cast<uint64_t>(std::max(0, AtOnce() - replica.runs));
  return idle;
}

// Tokens that balance batches over cores or GPUs: guided self-scheduling (Polychronopoulos and Kuck, IEEE Transactions
// on Computers 36(12), 1987), where each takes its share of what is left, so that all end at about the same time.
uint64_t Engine::BalancedTokens() const {
  const auto share = [this](uint64_t count) { return (queued_tokens_ + count - 1) / count; };
  const std::span<const PlanItem> waiting = queue_.front()->waiting();
  const bool repeats = waiting.size() > 1 && waiting[0].group == waiting[1].group;
  const uint64_t guided = std::max(share(replicas_.size() * static_cast<size_t>(AtOnce())),
                                   repeats ? kMinSplitPrefixes * waiting[0].prefix : 0);
  const uint64_t tokens = std::min(guided, share(std::max<uint64_t>(Idle(), 1)));
  return std::max(tokens, on_gpus_ ? kMinSplitTokensOfGpu : kMinSplitTokens);
}

// The oldest request goes first, so none starves; younger ones fill what room its limits leave.
Engine::Batch Engine::NextBatch(const Replica& replica) {
  BatchLimits limits = queue_.front()->work.limits;
  limits.max_tokens = std::min({limits.max_tokens, replica.max_tokens, BalancedTokens()});

  std::vector<PlanItem> candidates;
  uint64_t tokens = 0;
  uint32_t group = 0;  // groups of different requests are different groups
  for (const auto& request : queue_) {
    uint32_t previous = request->waiting().front().group;
    for (PlanItem item : request->waiting()) {
      if (item.group != previous) ++group;
      previous = item.group;
      item.group = group;
      tokens += AddedTokens(candidates.empty() ? nullptr : &candidates.back(), item);
      candidates.push_back(item);
      if (tokens > limits.max_tokens) break;
    }
    ++group;
    if (tokens > limits.max_tokens) break;
  }

  Batch batch;
  size_t count = PlanCut(candidates, limits);
  while (count > 0) {
    const std::shared_ptr<Request> request = queue_.front();
    const size_t take = std::min(count, request->waiting().size());
    const uint64_t before = request->waiting_tokens();
    batch.parts.push_back({request, std::span(request->order).subspan(request->taken, take)});
    request->taken += take;
    queued_tokens_ -= before - request->waiting_tokens();
    if (request->waiting().empty()) queue_.pop_front();
    count -= take;
  }
  return batch;
}

void Engine::Run(Batch batch, Replica& replica) {
  std::vector<Sequence> sequences;
  uint64_t tokens = 0;
  for (const auto& part : batch.parts) {
    for (uint32_t index : part.indices) {
      sequences.push_back(part.request->sequence(index));
      tokens += sequences.back().ids.size();
    }
  }

  Ort::RunOptions options;
  {
    const std::lock_guard lock(mutex_);
    running_.insert(&options);
    if (abandoned_) options.SetTerminate();
  }
  const auto started = std::chrono::steady_clock::now();
  std::variant<RunResult, Error> outcome = RunResult{};
  try {
    RunResult result = RunOrHalve(replica, sequences, options);
    MakeFinite(sequences, options, result);
    outcome = std::move(result);
  } catch (const std::exception& exception) {
    outcome = Classify(exception, ErrorCode::kRunFailed);
  }
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;

  std::vector<std::shared_ptr<Request>> complete;
  std::vector<std::pair<std::shared_ptr<Request>, size_t>> progressed;
  {
    const std::lock_guard lock(mutex_);
    running_.erase(&options);
    // Free before the outcome is out: what the caller submits next finds it so.
    --replica.runs;
    changed_.notify_all();
    if (const auto* result = std::get_if<RunResult>(&outcome)) {
      counters_.batches += 1;
      counters_.sequences += sequences.size();
      counters_.tokens += tokens;
      counters_.computed_tokens += result->counts.computed_tokens;
      counters_.padded_tokens += result->counts.padded_tokens;
      counters_.run_seconds += elapsed.count();
      counters_.compute_seconds += result->counts.compute_seconds;
      const size_t width = result->rows.size() / sequences.size();
      const float* row = result->rows.data();
      for (const auto& part : batch.parts) {
        Request& request = *part.request;
        request.rows.resize(request.items.size() * width);
        for (uint32_t index : part.indices) {
          std::copy_n(row, width, request.rows.data() + index * width);
          row += width;
        }
        request.done += part.indices.size();
        if (request.done == request.items.size()) {
          complete.push_back(part.request);
        } else {
          progressed.emplace_back(part.request, request.done);
        }
      }
    }
  }

  if (const auto* error = std::get_if<Error>(&outcome)) {
    for (const auto& part : batch.parts) Finish(part.request, *error);
    return;
  }
  for (const auto& [request, done] : progressed) {
    if (request->work.on_progress) request->work.on_progress(done);
  }
  for (const auto& request : complete) {
    const bool finite =
        std::all_of(request->rows.begin(), request->rows.end(), [](float x) { return std::isfinite(x); });
    if (finite) {
      Finish(request, std::move(request->rows));
    } else {
      Finish(request, Error(ErrorCode::kScoreNotFinite, "the model gave a number that is not finite"));
    }
  }
}

// Halves a batch that the device has no memory for, and plans no larger one for it again. A sequence that is too long
// alone runs on the safer model.
RunResult Engine::RunOrHalve(Replica& replica, std::span<const Sequence> sequences, const Ort::RunOptions& options) {
  try {
    return replica.model->Run(sequences, options);
  } catch (const std::exception& exception) {
    const Error error = Classify(exception, ErrorCode::kRunFailed);
    if (error.code() != ErrorCode::kDeviceOutOfMemory || (sequences.size() == 1 && !make_safer_)) throw error;
  }
  uint64_t tokens = 0;
  for (const Sequence& sequence : sequences) tokens += sequence.ids.size();
  {
    const std::lock_guard lock(mutex_);
    ++counters_.out_of_memory;
    if (sequences.size() > 1) replica.max_tokens = std::min(replica.max_tokens, std::max<uint64_t>(tokens / 2, 1));
  }
  if (sequences.size() == 1) return Safer().Run(sequences, options);
  const size_t half = sequences.size() / 2;
  RunResult result = RunOrHalve(replica, sequences.first(half), options);
  const RunResult rest = RunOrHalve(replica, sequences.subspan(half), options);
  result.rows.insert(result.rows.end(), rest.rows.begin(), rest.rows.end());
  result.counts.computed_tokens += rest.counts.computed_tokens;
  result.counts.padded_tokens += rest.counts.padded_tokens;
  result.counts.compute_seconds += rest.counts.compute_seconds;
  return result;
}

Model& Engine::Safer() {
  std::call_once(safer_made_, [&] { safer_ = make_safer_(); });
  return *safer_;
}

// Runs the sequences whose row is not finite again on the safer model, where there is one.
void Engine::MakeFinite(std::span<const Sequence> sequences, const Ort::RunOptions& options, RunResult& result) {
  if (!make_safer_) return;
  const size_t width = result.rows.size() / sequences.size();
  std::vector<size_t> indices;
  std::vector<Sequence> again;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const auto row = std::span(result.rows).subspan(i * width, width);
    if (std::all_of(row.begin(), row.end(), [](float x) { return std::isfinite(x); })) continue;
    indices.push_back(i);
    again.push_back(sequences[i]);
  }
  if (again.empty()) return;
  const RunResult safer = Safer().Run(again, options);
  for (size_t i = 0; i < indices.size(); ++i) {
    std::copy_n(safer.rows.data() + i * width, width, result.rows.data() + indices[i] * width);
  }
  const std::lock_guard lock(mutex_);
  counters_.not_finite += again.size();
}

bool Engine::Remove(const Request& request) {
  const auto same = [&](const auto& other) { return other.get() == &request; };
  const auto open = std::find_if(open_.begin(), open_.end(), same);
  if (open == open_.end()) return false;
  open_.erase(open);
  const auto queued = std::find_if(queue_.begin(), queue_.end(), same);
  if (queued != queue_.end()) {
    queued_tokens_ -= request.waiting_tokens();
    queue_.erase(queued);
    changed_.notify_all();
  }
  return true;
}

// Exactly one outcome a request: whoever removes it from open_ delivers.
void Engine::Finish(const std::shared_ptr<Request>& request, Outcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    if (!Remove(*request)) return;
  }
  request->work.on_done(std::move(outcome));
}

}  // namespace zrank
