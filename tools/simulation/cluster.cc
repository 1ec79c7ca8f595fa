#include "simulation/cluster.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <queue>
#include <random>
#include <unordered_map>
#include <utility>

#include "core/request_queue.h"

namespace zrank::simulation {

namespace {

struct Call {
  double arrival;
  std::vector<uint32_t> lengths;  // of its prompts
};

// Calls as they arrive, from one stream of random numbers.
class Source {
 public:
  Source(const Cluster& cluster, const Traffic& traffic) : traffic_(traffic), random_(traffic.seed) {
    const double tokens = traffic.query_tokens + traffic.documents * traffic.document_tokens;
    const double batches = tokens / static_cast<double>(cluster.limits.max_tokens);
    const double seconds = tokens / cluster.tokens_per_second + batches * cluster.batch_seconds;
    pause_ = seconds / (traffic.utilisation * cluster.processes * cluster.gpus);
  }

  Call Next() {
    time_ += Exponential(pause_);
    Call call{time_, {}};
    call.lengths.resize(static_cast<size_t>(Around(traffic_.documents)));
    for (uint32_t& length : call.lengths) {
      length = traffic_.query_tokens + static_cast<uint32_t>(Around(traffic_.document_tokens));
    }
    return call;
  }

 private:
  double Exponential(double mean) { return -mean * std::log1p(-std::uniform_real_distribution<double>()(random_)); }
  double Around(double mean) { return std::max(1.0, std::round(traffic_.vary ? Exponential(mean) : mean)); }

  const Traffic traffic_;
  std::mt19937_64 random_;
  double pause_ = 0;
  double time_ = 0;
};

// The documents of one query: they begin alike and differ from the first token behind it.
Block BlockOf(const Call& call, uint32_t query_tokens) {
  Block block;
  block.offsets.push_back(0);
  for (size_t i = 0; i < call.lengths.size(); ++i) {
    const size_t begin = block.ids.size();
    block.ids.resize(begin + call.lengths[i]);
    block.ids[begin + query_tokens] = static_cast<int32_t>(i);
    block.offsets.push_back(static_cast<uint32_t>(block.ids.size()));
  }
  block.groups.resize(call.lengths.size());
  return block;
}

// Tokens to compute: of the sequences of a part, which are one call's, the query's once.
uint64_t TokensOf(const Batch& batch, uint32_t query_tokens) {
  uint64_t tokens = 0;
  for (const auto& part : batch.parts) {
    for (const Sequence& sequence : part.sequences) tokens += sequence.ids.size();
    tokens -= (part.sequences.size() - 1) * query_tokens;
  }
  return tokens;
}

struct Gpu {
  int runs = 0;
  double free = 0;  // when it has computed what it was given
};

struct Process {
  RequestQueue queue;
  std::vector<Gpu> gpus;
  size_t connections = 0;
  uint64_t known_tokens = 0;  // waiting, as the balancer believes
};

struct Finished {
  double time;
  size_t process, gpu;
  std::shared_ptr<Batch> batch;

  bool operator>(const Finished& other) const { return time > other.time; }
};

class Simulation {
 public:
  Simulation(const Cluster& cluster, const Traffic& traffic)
      : cluster_(cluster), traffic_(traffic), source_(cluster, traffic), processes_(cluster.processes) {
    for (Process& process : processes_) process.gpus.resize(cluster.gpus);
  }

  Figures Run() {
    for (size_t i = 0; i < traffic_.calls; ++i) {
      const Call call = source_.Next();
      AdvanceTo(call.arrival);
      Submit(call, i >= traffic_.calls / 10);
    }
    AdvanceTo(INFINITY);
    std::sort(figures_.seconds.begin(), figures_.seconds.end());
    figures_.busy = busy_ / (now_ * cluster_.processes * cluster_.gpus);
    figures_.documents_per_second = static_cast<double>(documents_) / now_;
    figures_.batch_tokens = static_cast<double>(figures_.tokens) / static_cast<double>(batches_);
    return std::move(figures_);
  }

 private:
  void AdvanceTo(double time) {
    while (!running_.empty() && running_.top().time <= time) {
      const Finished finished = running_.top();
      running_.pop();
      now_ = finished.time;
      Complete(finished);
    }
    if (std::isfinite(time)) now_ = time;
  }

  void Submit(const Call& call, bool counts) {
    const size_t chosen = Choose();
    Process& process = processes_[chosen];
    Work work;
    work.block = BlockOf(call, traffic_.query_tokens);
    work.limits = cluster_.limits;
    work.max_queue_tokens = std::numeric_limits<uint64_t>::max();
    const auto request = std::make_shared<Request>(std::move(work));
    arrivals_.emplace(request.get(), std::pair(call.arrival, counts));
    documents_ += call.lengths.size();
    figures_.traffic_tokens += request->waiting_tokens();
    ++process.connections;
    process.known_tokens += request->waiting_tokens();
    process.queue.Push(request);
    Dispatch(chosen);
  }

  size_t Choose() {
    if (cluster_.balancer == Balancer::kRoundRobin) return turn_++ % processes_.size();
    const bool by_tokens = cluster_.balancer == Balancer::kLeastTokens;
    if (by_tokens && now_ >= next_scrape_) {
      next_scrape_ = now_ + cluster_.scrape_seconds;
      for (Process& process : processes_) process.known_tokens = process.queue.tokens();
    }
    const auto load = [&](const Process& process) { return by_tokens ? process.known_tokens : process.connections; };
    // Equal ones take turns.
    size_t best = turn_++ % processes_.size();
    for (size_t i = 0; i < processes_.size(); ++i) {
      if (load(processes_[i]) < load(processes_[best])) best = i;
    }
    return best;
  }

  // As Engine::RunNext takes batches.
  void Dispatch(size_t number) {
    Process& process = processes_[number];
    while (!process.queue.empty()) {
      Gpu* const gpu = FreeReplica(process.gpus, cluster_.concurrency);
      if (gpu == nullptr) return;
      const Load load{process.queue.tokens(), process.queue.shared_prefix(),
                      IdleRuns(process.gpus, cluster_.concurrency), process.gpus.size()};
      auto batch = std::make_shared<Batch>(process.queue.Next(BatchShare(load, cluster_.concurrency)));
      const uint64_t tokens = TokensOf(*batch, traffic_.query_tokens);
      const double seconds = cluster_.batch_seconds + static_cast<double>(tokens) / cluster_.tokens_per_second;
      ++gpu->runs;
      gpu->free = std::max(now_, gpu->free) + seconds;
      busy_ += seconds;
      ++batches_;
      figures_.tokens += tokens;
      running_.push({gpu->free, number, static_cast<size_t>(gpu - process.gpus.data()), std::move(batch)});
    }
  }

  void Complete(const Finished& finished) {
    Process& process = processes_[finished.process];
    --process.gpus[finished.gpu].runs;
    for (const auto& part : finished.batch->parts) {
      Request& request = *part.request;
      request.done += part.sequences.size();
      if (!request.IsDone()) continue;
      const auto found = arrivals_.find(&request);
      if (found->second.second) figures_.seconds.push_back(now_ - found->second.first);
      arrivals_.erase(found);
      --process.connections;
    }
    Dispatch(finished.process);
  }

  const Cluster cluster_;
  const Traffic traffic_;
  Source source_;
  std::vector<Process> processes_;
  std::priority_queue<Finished, std::vector<Finished>, std::greater<>> running_;
  std::unordered_map<const Request*, std::pair<double, bool>> arrivals_;  // and whether the call counts
  Figures figures_;
  double now_ = 0, next_scrape_ = 0, busy_ = 0;
  size_t turn_ = 0, batches_ = 0, documents_ = 0;
};

}  // namespace

std::optional<Balancer> BalancerNamed(std::string_view name) {
  if (name == "round-robin") return Balancer::kRoundRobin;
  if (name == "least-connections") return Balancer::kLeastConnections;
  if (name == "least-tokens") return Balancer::kLeastTokens;
  return std::nullopt;
}

Figures Simulate(const Cluster& cluster, const Traffic& traffic) { return Simulation(cluster, traffic).Run(); }

}  // namespace zrank::simulation
