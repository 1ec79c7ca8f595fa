// The simulation of tools/simulation against queueing theory and against itself. The queue and the planner are the
// engine's; time and the GPUs are simulated.

#include <cmath>
#include <numeric>

#include "simulation/cluster.h"
#include "test/check.h"

namespace zrank::simulation {
namespace {

double Mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Calls of one document each, which fills a batch of a second.
Cluster OneByOne() {
  Cluster cluster;
  cluster.tokens_per_second = 1000;
  cluster.batch_seconds = 0.5;
  cluster.limits = {500, 500};
  return cluster;
}
Traffic Alike(double utilisation) {
  return {.utilisation = utilisation,
          .calls = 30'000,
          .documents = 1,
          .query_tokens = 20,
          .document_tokens = 480,
          .vary = false};
}

// Calls of all sizes.
Traffic Mixed() { return {.utilisation = 0.8, .calls = 3000}; }

// Pollaczek and Khinchine's mean wait for service times that are all alike: rho / (2 (1 - rho)) of one.
TEST(calls_of_one_batch_wait_as_in_m_d_1) {
  for (double utilisation : {0.3, 0.5, 0.7}) {
    const Figures figures = Simulate(OneByOne(), Alike(utilisation));
    const double expected = 1 + utilisation / (2 * (1 - utilisation));
    CHECK(std::abs(Mean(figures.seconds) - expected) < 0.03 * expected);
    CHECK(std::abs(figures.busy - utilisation) < 0.01);
  }
}

TEST(every_call_is_answered_and_every_token_computed) {
  Cluster cluster;
  cluster.processes = 3;
  cluster.gpus = 2;
  Traffic traffic;
  traffic.calls = 1000;
  for (Balancer balancer : {Balancer::kRoundRobin, Balancer::kLeastConnections, Balancer::kLeastTokens}) {
    cluster.balancer = balancer;
    const Figures figures = Simulate(cluster, traffic);
    CHECK_EQ(figures.seconds.size(), size_t{900});
    CHECK(figures.seconds.front() > cluster.batch_seconds);
    // A call that is cut has its query computed once more in each batch.
    CHECK(figures.tokens >= figures.traffic_tokens);
    CHECK(static_cast<double>(figures.tokens) < 1.02 * static_cast<double>(figures.traffic_tokens));
  }
}

TEST(a_balancer_that_sees_the_load_shortens_the_wait) {
  Cluster cluster;
  cluster.processes = 8;
  const double blind = Mean(Simulate(cluster, Mixed()).seconds);
  cluster.balancer = Balancer::kLeastConnections;
  CHECK(Mean(Simulate(cluster, Mixed()).seconds) < 0.8 * blind);
  cluster.balancer = Balancer::kLeastTokens;
  cluster.scrape_seconds = 0.1;
  CHECK(Mean(Simulate(cluster, Mixed()).seconds) < 0.8 * blind);
}

TEST(gpus_of_one_queue_wait_less_than_as_many_processes) {
  Cluster cluster;
  cluster.processes = 4;
  const double apart = Mean(Simulate(cluster, Mixed()).seconds);
  cluster.processes = 1;
  cluster.gpus = 4;
  CHECK(Mean(Simulate(cluster, Mixed()).seconds) < apart);
}

}  // namespace
}  // namespace zrank::simulation
