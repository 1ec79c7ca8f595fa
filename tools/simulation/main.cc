// How long calls wait in clusters of different sizes and loads: a discrete-event simulation with the engine's own queue
// and planner (cluster.h). Build: cmake --build build --target zrank_simulate

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <sstream>
#include <string>

#include "simulation/cluster.h"

namespace {

using namespace zrank::simulation;

constexpr const char* kUsage = R"(zrank_simulate [--option value]...
  --processes 1,2,4,8,16,32,64    processes behind the balancer
  --utilisation 0.5,0.7,0.8,0.9   tokens that come in, of those that the cluster computes at most
  --gpus 1                        of each process
  --tokens-per-second 20000       that a GPU, or a CPU as a whole, computes in large batches
  --batch-ms 2                    what a batch costs besides
  --batch-tokens 16384            most tokens of a batch
  --documents 50                  of a call, in the mean
  --document-tokens 200           in the mean
  --query-tokens 20
  --fixed                         all calls alike, instead of exponential around these means
  --balancer round-robin          or least-connections, least-tokens
  --scrape-seconds 5              between two readings of /metrics, for least-tokens
  --calls 10000                   for each line, times the processes
)";

[[noreturn]] void Refuse(const std::string& what) {
  std::fprintf(stderr, "zrank_simulate: %s\n%s", what.c_str(), kUsage);
  std::exit(2);
}

double Number(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0' || !std::isfinite(value) || value <= 0) {
    Refuse(option + " takes a number above 0, not '" + text + "'");
  }
  return value;
}

std::vector<double> Numbers(const std::string& option, const std::string& text) {
  std::vector<double> values;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) values.push_back(Number(option, part));
  if (values.empty()) Refuse(option + " takes numbers, not '" + text + "'");
  return values;
}

double Quantile(const std::vector<double>& ascending, double share) {
  return ascending[std::min(ascending.size() - 1, static_cast<size_t>(share * static_cast<double>(ascending.size())))];
}

}  // namespace

int main(int count, char** arguments) {
  Cluster cluster;
  Traffic traffic;
  std::vector<double> processes{1, 2, 4, 8, 16, 32, 64}, utilisations{0.5, 0.7, 0.8, 0.9};
  double calls = 10'000;
  using Take = std::function<void(const std::string&, const std::string&)>;
  const auto number = [](auto& target) -> Take {
    return [&target](const std::string& option, const std::string& text) {
      target = static_cast<std::decay_t<decltype(target)>>(Number(option, text));
    };
  };
  const std::map<std::string, Take> options{
      {"--processes", [&](auto& option, auto& text) { processes = Numbers(option, text); }},
      {"--utilisation", [&](auto& option, auto& text) { utilisations = Numbers(option, text); }},
      {"--gpus", number(cluster.gpus)},
      {"--tokens-per-second", number(cluster.tokens_per_second)},
      {"--batch-ms", [&](auto& option, auto& text) { cluster.batch_seconds = Number(option, text) / 1000; }},
      {"--batch-tokens", number(cluster.limits.max_tokens)},
      {"--documents", number(traffic.documents)},
      {"--document-tokens", number(traffic.document_tokens)},
      {"--query-tokens", number(traffic.query_tokens)},
      {"--scrape-seconds", number(cluster.scrape_seconds)},
      {"--calls", number(calls)},
      {"--balancer",
       [&](auto&, auto& text) {
         const auto balancer = BalancerNamed(text);
         if (!balancer) Refuse("--balancer takes round-robin, least-connections or least-tokens, not '" + text + "'");
         cluster.balancer = *balancer;
       }},
  };
  for (int i = 1; i < count; ++i) {
    const std::string option = arguments[i];
    if (option == "--fixed") {
      traffic.vary = false;
      continue;
    }
    const auto found = options.find(option);
    if (found == options.end()) Refuse("no option '" + option + "'");
    if (i + 1 == count) Refuse(option + " takes a value");
    found->second(option, arguments[++i]);
  }
  for (double utilisation : utilisations) {
    if (utilisation >= 1) Refuse("--utilisation takes numbers below 1: above, the queue only grows");
  }
  cluster.limits.max_padded_tokens = 4 * cluster.limits.max_tokens;

  std::printf("processes  utilisation  documents/s  GPUs busy  tokens/batch    p50 s    p90 s    p99 s\n");
  for (double size : processes) {
    cluster.processes = std::max(1, static_cast<int>(size));
    traffic.calls = static_cast<size_t>(calls * size);
    for (double utilisation : utilisations) {
      traffic.utilisation = utilisation;
      const Figures figures = Simulate(cluster, traffic);
      std::printf("%9d  %11.2f  %11.1f  %9.2f  %12.0f  %7.3f  %7.3f  %7.3f\n", cluster.processes, utilisation,
                  figures.documents_per_second, figures.busy, figures.batch_tokens, Quantile(figures.seconds, 0.5),
                  Quantile(figures.seconds, 0.9), Quantile(figures.seconds, 0.99));
      std::fflush(stdout);
    }
  }
}
