#include "core/engine.h"

#include <algorithm>
#include <chrono>

namespace zrank {

namespace {

// Whether the run may have failed for what one of its requests holds: then each is run alone, and only that one fails.
bool IsFaultOfOne(const std::variant<RunResult, Error>& outcome) {
  const auto* error = std::get_if<Error>(&outcome);
  return error != nullptr && error->code() == ErrorCode::kRunFailed;
}

}  // namespace

Engine::Engine(const EngineSpec& spec) : concurrency_(spec.concurrency) {
  const std::shared_ptr<Model> fallback = spec.fallback ? std::make_shared<LazyModel>(spec.fallback) : nullptr;
  for (const auto& make : spec.replicas) replicas_.push_back({std::make_unique<FallbackModel>(make(), fallback)});
  const size_t threads = concurrency_.has_threads ? replicas_.size() * static_cast<size_t>(concurrency_.runs) : 0;
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
  Changed();
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
  EngineCounters counters = counters_;
  counters.queued_tokens = queue_.tokens() + queue_.announced();
  for (const Replica& replica : replicas_) {
    const FallbackModel::Failures failures = replica.model->failures();
    counters.out_of_memory += failures.out_of_memory;
    counters.not_finite += failures.not_finite;
  }
  return counters;
}

uint64_t Engine::Submit(Work work) {
  const auto request = std::make_shared<Request>(std::move(work));
  const std::lock_guard lock(mutex_);
  if (abandoned_) throw Error(ErrorCode::kClosed, "the process is exiting");
  queue_.Push(request);
  request->ticket = next_ticket_++;
  open_.emplace(request->ticket, request);
  Changed();
  return request->ticket;
}

void Engine::Append(uint64_t ticket, Block block) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(ticket);
  if (found == open_.end()) return;
  queue_.Append(found->second, std::move(block));
  Changed();
}

void Engine::Cancel(uint64_t ticket) {
  std::shared_ptr<Request> request;
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(ticket);
    if (found == open_.end()) return;
    request = found->second;
  }
  Finish(*request, Error(ErrorCode::kAborted, "the call was aborted"));
}

void Engine::Changed() {
  changed_.notify_all();
  team_.Wake();
}

void Engine::Wake() {
  const std::lock_guard lock(mutex_);
  Changed();
}

bool Engine::RunNext(const std::atomic<bool>& stop) {
  std::unique_lock lock(mutex_);
  Replica* replica = nullptr;
  while (concurrency_.has_team && !stop && !abandoned_ && queue_.empty() && IsRunning()) {
    const int seen = team_.news();
    lock.unlock();
    if (!team_.Help()) team_.Sleep(seen);
    lock.lock();
  }
  changed_.wait(lock, [&] {
    if (stop || abandoned_ || queue_.empty()) return true;
    replica = FreeReplica(replicas_, concurrency_);
    return replica != nullptr;
  });
  if (stop || abandoned_ || queue_.empty()) return false;
  const Load load{queue_.tokens(), queue_.shared_prefix(), IdleRuns(replicas_, concurrency_), replicas_.size()};
  const uint64_t share = BatchShare(load, concurrency_);
  const Batch batch = queue_.Next(std::min(share, replica->model->failures().max_tokens));
  ++replica->runs;
  lock.unlock();
  const auto now = std::chrono::steady_clock::now();
  for (const auto& part : batch.parts) {
    const Request& request = *part.request;
    if (!part.is_first || !request.work.on_start) continue;
    request.work.on_start(std::chrono::duration<double>(now - request.submitted).count());
  }
  Run(batch, *replica);
  return true;
}

bool Engine::IsRunning() const {
  return std::ranges::any_of(replicas_, [](const Replica& replica) { return replica.runs > 0; });
}

void Engine::Run(const Batch& batch, Replica& replica) {
  const std::vector<Sequence> sequences = batch.sequences();
  const auto started = std::chrono::steady_clock::now();
  const std::variant<RunResult, Error> outcome = Compute(sequences, *replica.model);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started;

  if (batch.parts.size() > 1 && IsFaultOfOne(outcome)) {
    {
      const std::lock_guard lock(mutex_);
      replica.runs += static_cast<int>(batch.parts.size()) - 1;
    }
    for (const auto& part : batch.parts) Run({{part}}, replica);
    return;
  }

  struct Standing {
    size_t done;
    bool is_done;
  };
  std::vector<Standing> standings;  // of each part's request
  {
    const std::lock_guard lock(mutex_);
    // Free before the outcome is out: what the caller submits next finds it so.
    --replica.runs;
    Changed();
    if (const auto* result = std::get_if<RunResult>(&outcome)) {
      Count(sequences, result->counts, elapsed.count());
      batch.Deliver(result->rows);
    }
    for (const auto& part : batch.parts) standings.push_back({part.request->done, part.request->IsDone()});
  }
  for (size_t i = 0; i < batch.parts.size(); ++i) {
    Request& request = *batch.parts[i].request;
    if (const auto* error = std::get_if<Error>(&outcome)) {
      Finish(request, *error);
    } else if (standings[i].is_done) {
      Conclude(request);
    } else if (request.work.on_progress) {
      request.work.on_progress(standings[i].done);
    }
  }
}

// Runs the sequences where Abandon() finds them.
std::variant<RunResult, Error> Engine::Compute(std::span<const Sequence> sequences, Model& model) {
  Ort::RunOptions options;
  {
    const std::lock_guard lock(mutex_);
    running_.insert(&options);
    if (abandoned_) options.SetTerminate();
  }
  std::variant<RunResult, Error> outcome;
  const Team::Membership membership(concurrency_.has_team ? &team_ : nullptr);
  try {
    outcome = model.Run(sequences, options);
  } catch (const std::exception& exception) {
    outcome = Classify(exception, ErrorCode::kRunFailed);
  }
  const std::lock_guard lock(mutex_);
  running_.erase(&options);
  return outcome;
}

void Engine::Count(std::span<const Sequence> sequences, const RunCounts& counts, double seconds) {
  counters_.batches += 1;
  counters_.sequences += sequences.size();
  for (const Sequence& sequence : sequences) counters_.tokens += sequence.ids.size();
  counters_.computed_tokens += counts.computed_tokens;
  counters_.padded_tokens += counts.padded_tokens;
  counters_.run_seconds += seconds;
  counters_.compute_seconds += counts.compute_seconds;
}

// A request's last batch ends it.
void Engine::Conclude(Request& request) {
  if (IsFinite(request.rows)) {
    Finish(request, std::move(request.rows));
  } else {
    Finish(request, Error(ErrorCode::kScoreNotFinite, "the model gave scores that are not finite"));
  }
}

// Exactly one outcome a request: whoever removes it from open_ delivers.
void Engine::Finish(Request& request, Outcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    if (open_.erase(request.ticket) == 0) return;
    if (queue_.Remove(request)) Changed();
  }
  request.work.on_done(std::move(outcome));
}

}  // namespace zrank
