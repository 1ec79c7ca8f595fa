#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/batch_plan.h"

namespace zrank::simulation {

// What a balancer in front of the processes goes by.
enum class Balancer {
  kRoundRobin,        // each in turn
  kLeastConnections,  // the fewest calls sent there and not answered, as a proxy counts them
  kLeastTokens,       // the fewest tokens waiting at the last scrape of /metrics, and sent there since
};
std::optional<Balancer> BalancerNamed(std::string_view name);

struct Cluster {
  int processes = 1;
  int gpus = 1;                       // of a process, which has one queue for all
  double tokens_per_second = 20'000;  // of a GPU, or of a CPU as a whole, in large batches
  double batch_seconds = 0.002;       // what a batch costs besides
  BatchLimits limits{16'384, 65'536, 2};
  Concurrency concurrency = kGpuConcurrency;
  Balancer balancer = Balancer::kRoundRobin;
  double scrape_seconds = 5;  // between two readings of /metrics
};

// Calls come one by one, independent of each other (a Poisson process).
struct Traffic {
  double utilisation = 0.7;  // tokens that come in a second, of those that the cluster computes at most
  size_t calls = 10'000;
  double documents = 50;  // of a call: exponential where `vary`
  uint32_t query_tokens = 20;
  double document_tokens = 200;  // exponential where `vary`
  bool vary = true;
  uint64_t seed = 1;
};

struct Figures {
  std::vector<double> seconds;  // from a call's arrival to its last score, ascending; the first tenth is left out
  double busy = 0;              // share of the time that the GPUs compute
  double documents_per_second = 0;
  double batch_tokens = 0;      // mean
  uint64_t tokens = 0;          // computed
  uint64_t traffic_tokens = 0;  // of all calls, each query's counted once
};

// Discrete-event simulation of processes that each have the engine's own queue and planner. A GPU computes one batch at
// a time, the next one is planned meanwhile; a batch takes batch_seconds and its tokens over tokens_per_second.
Figures Simulate(const Cluster& cluster, const Traffic& traffic);

}  // namespace zrank::simulation
