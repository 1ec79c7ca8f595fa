// Workers of an engine that help inside each other's batches. Real: the engine, its team, ONNX Runtime's RunOptions
// (the library is named by ZRANK_ONNXRUNTIME). A double: the model.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <thread>
#include <vector>

#include "core/engine.h"
#include "core/ort_runtime.h"
#include "core/team.h"
#include "test/check.h"

namespace zrank {
namespace {

using namespace std::chrono_literals;

// Its run is one job of as many tasks as `meeting`, each of which waits until all of them have begun. The first run
// waits at the gate before that.
struct MeetingModel : Model {
  std::shared_future<void> gate;
  std::atomic<int> entered{0};
  int meeting = 1;
  std::atomic<int> there{0};
  std::atomic<bool> has_team{false};
  std::atomic<bool> met{true};

  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions&) override {
    if (entered++ == 0 && gate.valid()) gate.wait();
    RunResult result;
    result.rows.assign(batch.size(), 1);
    Team* team = Team::Current();
    has_team = team != nullptr;
    if (team == nullptr) return result;
    there = 0;
    team->ParallelFor(static_cast<size_t>(meeting), [&](size_t) {
      ++there;
      const auto deadline = std::chrono::steady_clock::now() + 10s;
      while (there < meeting && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      if (there < meeting) met = false;
    });
    return result;
  }
};

struct Fixture {
  MeetingModel* model = new MeetingModel;
  std::atomic<bool> stop{false};
  std::unique_ptr<Engine> engine;

  explicit Fixture(bool has_team = true) {
    OrtRuntime::Open(std::getenv("ZRANK_ONNXRUNTIME"));
    engine = std::make_unique<Engine>(EngineSpec{.replicas = {[this] { return std::unique_ptr<Model>(model); }},
                                                 .concurrency = CpuConcurrency(3, has_team)});
  }

  std::future<Outcome> Submit() {
    Work work;
    work.block.ids = {1};
    work.block.offsets = {0, 1};
    work.block.groups = {0};
    work.limits = {1000, 1000};
    work.max_queue_tokens = 1000;
    auto promise = std::make_shared<std::promise<Outcome>>();
    work.on_done = [promise](Outcome outcome) { promise->set_value(std::move(outcome)); };
    engine->Submit(std::move(work));
    return promise->get_future();
  }
  std::thread Worker(const std::atomic<bool>& stop) {
    return std::thread([this, &stop] {
      while (engine->RunNext(stop)) continue;
    });
  }
};

TEST(workers_without_a_batch_help_in_the_one_that_runs_and_go_home_after_it) {
  Fixture fixture;
  fixture.model->meeting = 3;
  for (int i = 0; i < 20; ++i) {
    auto done = fixture.Submit();
    std::vector<std::thread> workers;
    for (int w = 0; w < 3; ++w) workers.push_back(fixture.Worker(fixture.stop));
    CHECK(done.wait_for(20s) == std::future_status::ready);
    for (auto& worker : workers) worker.join();
    CHECK(fixture.model->met);
  }
}

TEST(a_worker_that_would_help_takes_a_new_batch_first_and_can_be_sent_home) {
  Fixture fixture;
  std::promise<void> open;
  fixture.model->gate = open.get_future().share();
  auto held = fixture.Submit();
  std::thread first = fixture.Worker(fixture.stop);
  while (fixture.model->entered == 0) std::this_thread::yield();
  std::atomic<bool> stop{false};
  std::thread helper = fixture.Worker(stop);
  std::this_thread::sleep_for(20ms);  // it has nothing to help with and sleeps
  auto next = fixture.Submit();
  CHECK(next.wait_for(20s) == std::future_status::ready);
  std::this_thread::sleep_for(20ms);
  stop = true;
  fixture.engine->Wake();
  helper.join();
  CHECK(held.wait_for(0s) != std::future_status::ready);
  open.set_value();
  first.join();
  CHECK(held.wait_for(20s) == std::future_status::ready);
}

TEST(an_engine_without_a_team_has_none_in_its_runs) {
  Fixture fixture(false);
  auto done = fixture.Submit();
  fixture.Worker(fixture.stop).join();
  CHECK(done.wait_for(20s) == std::future_status::ready);
  CHECK(!fixture.model->has_team);
}

}  // namespace
}  // namespace zrank
