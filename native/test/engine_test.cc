// The engine with a network of our own behind the Model interface: the queue, its budget, mixing of requests, ends.
// Real: the engine, its threads, ONNX Runtime's RunOptions (the library is named by ZRANK_ONNXRUNTIME). A double: the
// model.

#include "core/engine.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <future>
#include <limits>

#include "core/ort_runtime.h"
#include "core/words.h"
#include "test/check.h"

namespace zrank {
namespace {

using namespace std::chrono_literals;

// Scores a sequence by the sum of its ids; knows what it ran, and can be told to wait, to lack memory or to overflow.
struct FakeModel : Model {
  std::mutex mutex;
  std::vector<std::vector<float>> batches;
  std::shared_future<void> gate;
  std::atomic<int> entered{0};
  size_t memory = 1000;  // tokens a run may have
  float largest = std::numeric_limits<float>::infinity();
  int32_t forbidden = -1;  // an id that it cannot run

  RunResult Run(std::span<const Sequence> batch, const Ort::RunOptions&) override {
    ++entered;
    if (gate.valid()) gate.wait();
    RunResult result;
    for (const Sequence& sequence : batch) {
      float sum = 0;
      for (int32_t id : sequence.ids) sum += static_cast<float>(id);
      if (std::ranges::count(sequence.ids, forbidden) > 0) throw std::runtime_error("index out of bounds");
      result.rows.push_back(sum > largest ? std::numeric_limits<float>::infinity() : sum);
      result.counts.computed_tokens += sequence.ids.size();
    }
    if (result.counts.computed_tokens > memory) throw Error(ErrorCode::kDeviceOutOfMemory, "no memory");
    const std::lock_guard lock(mutex);
    batches.push_back(result.rows);
    return result;
  }
};

struct Fixture {
  FakeModel* model;
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::vector<double> waits;  // of the requests that a batch has been cut of
  std::vector<size_t> progress;
  std::unique_ptr<Engine> engine;  // its threads use those above to the end

  explicit Fixture(int workers = 1, ModelFactory fallback = {}) : model(new FakeModel) {
    OrtRuntime::Open(std::getenv("ZRANK_ONNXRUNTIME"));
    engine = std::make_unique<Engine>(
        EngineSpec{.replicas = {Own(model)}, .concurrency = CpuConcurrency(workers), .fallback = fallback});
  }
  // On as many GPUs as there are models.
  explicit Fixture(const std::vector<FakeModel*>& models) : model(models.front()) {
    OrtRuntime::Open(std::getenv("ZRANK_ONNXRUNTIME"));
    EngineSpec spec{.concurrency = kGpuConcurrency};
    for (FakeModel* each : models) spec.replicas.push_back(Own(each));
    engine = std::make_unique<Engine>(spec);
  }
  static ModelFactory Own(FakeModel* model) {
    return [model] { return std::unique_ptr<Model>(model); };
  }

  // A group for all.
  static Block ToBlock(const std::vector<std::vector<int32_t>>& sequences) {
    Block block;
    block.offsets.push_back(0);
    for (const auto& ids : sequences) {
      block.ids.insert(block.ids.end(), ids.begin(), ids.end());
      block.offsets.push_back(static_cast<uint32_t>(block.ids.size()));
      block.groups.push_back(0);
    }
    return block;
  }
  std::future<Outcome> Submit(const std::vector<std::vector<int32_t>>& sequences, uint64_t max_tokens = 1000,
                              uint64_t max_queue = 1000, uint64_t* ticket = nullptr, double to_come = 0) {
    Work work;
    work.block = ToBlock(sequences);
    work.block.to_come = to_come;
    work.limits = {max_tokens, 100'000};
    work.max_queue_tokens = max_queue;
    work.on_start = [this](double waited) {
      const std::lock_guard lock(mutex);
      waits.push_back(waited);
    };
    auto promise = std::make_shared<std::promise<Outcome>>();
    work.on_progress = [this](size_t done) {
      const std::lock_guard lock(mutex);
      progress.push_back(done);
    };
    work.on_done = [promise](Outcome outcome) { promise->set_value(std::move(outcome)); };
    const uint64_t given = engine->Submit(std::move(work));
    if (ticket != nullptr) *ticket = given;
    return promise->get_future();
  }
  void Drain() {
    while (engine->RunNext(stop)) continue;
  }
};

std::vector<float> Rows(std::future<Outcome>& future) {
  if (future.wait_for(10s) != std::future_status::ready) return {-1};
  const Outcome outcome = future.get();
  const auto* rows = std::get_if<std::vector<float>>(&outcome);
  return rows ? *rows : std::vector<float>{};
}

std::string Code(std::future<Outcome>& future) {
  if (future.wait_for(10s) != std::future_status::ready) return "no outcome";
  const Outcome outcome = future.get();
  const auto* error = std::get_if<Error>(&outcome);
  return error ? std::string(Word(error->code())) : "no error";
}

TEST(rows_come_back_in_the_order_of_the_sequences) {
  Fixture fixture;
  auto done = fixture.Submit({{1}, {2, 2, 2}, {3, 3}});
  fixture.Drain();
  CHECK_EQ(Rows(done), {1, 6, 6});
}

TEST(requests_that_wait_share_a_batch_and_the_oldest_goes_first) {
  Fixture fixture;
  auto first = fixture.Submit({{1}, {2}});
  auto second = fixture.Submit({{30, 30}});
  fixture.Drain();
  CHECK_EQ(fixture.model->batches, {{1, 2, 60}});
  CHECK_EQ(Rows(first), {1, 2});
  CHECK_EQ(Rows(second), {60});
}

TEST(a_request_is_told_once_how_long_it_has_waited) {
  Fixture fixture;
  auto first = fixture.Submit({{1, 1}, {2, 2}, {3, 3}}, /*max_tokens=*/2);
  uint64_t ticket = 0;
  auto second = fixture.Submit({{4}}, 1000, 1000, &ticket);
  fixture.engine->Cancel(ticket);
  std::this_thread::sleep_for(20ms);
  CHECK_EQ(fixture.waits.size(), 0u);
  fixture.Drain();
  CHECK_EQ(fixture.model->batches.size(), 3u);
  CHECK_EQ(fixture.waits.size(), 1u);
  CHECK(fixture.waits[0] >= 0.02 && fixture.waits[0] < 10);
}

TEST(the_first_block_of_a_request_runs_while_the_next_is_made) {
  Fixture fixture;
  uint64_t ticket = 0;
  auto done = fixture.Submit({{1}, {2, 2}}, 1000, 1000, &ticket, /*to_come=*/2);
  CHECK_EQ(fixture.engine->counters().queued_tokens, 9);
  fixture.Drain();
  CHECK_EQ(fixture.model->batches, {{4, 1}});
  CHECK(done.wait_for(0s) != std::future_status::ready);
  CHECK_EQ(fixture.engine->counters().queued_tokens, 6);
  Block next = Fixture::ToBlock({{3}});
  next.to_come = 0.5;
  fixture.engine->Append(ticket, next);
  fixture.engine->Append(ticket, Fixture::ToBlock({{4}, {5, 5}}));
  CHECK_EQ(fixture.engine->counters().queued_tokens, 4);
  fixture.Drain();
  CHECK_EQ(fixture.model->batches, {{4, 1}, {10, 3, 4}});
  CHECK_EQ(Rows(done), {1, 4, 3, 4, 10});
  CHECK_EQ(fixture.waits.size(), 1);
  CHECK_EQ(fixture.progress, {2});
  CHECK_EQ(fixture.engine->counters().queued_tokens, 0);
}

TEST(a_request_ends_once_though_blocks_are_still_to_come) {
  Fixture fixture;
  fixture.model->forbidden = 7;
  uint64_t cancelled_ticket = 0, failed_ticket = 0;
  auto cancelled = fixture.Submit({{1}}, 1000, 1000, &cancelled_ticket, 4);
  auto failed = fixture.Submit({{7}}, 1000, 1000, &failed_ticket, 4);
  fixture.Drain();
  CHECK_EQ(Code(failed), "RUN_FAILED");
  fixture.engine->Cancel(cancelled_ticket);
  CHECK_EQ(Code(cancelled), "ABORTED");
  for (const uint64_t ticket : {cancelled_ticket, failed_ticket})
    fixture.engine->Append(ticket, Fixture::ToBlock({{2}}));
  CHECK_EQ(fixture.engine->counters().queued_tokens, 0);
  fixture.Drain();
  CHECK_EQ(fixture.model->batches, {{1}});
}

TEST(blocks_may_come_while_batches_run) {
  Fixture fixture({new FakeModel});
  uint64_t ticket = 0;
  auto done = fixture.Submit({{0}}, 3, 100'000, &ticket, 1);
  std::vector<float> expected{0};
  for (int32_t i = 1; i < 500; ++i) {
    Block block = Fixture::ToBlock({{i}, {i, i}});
    block.to_come = i < 499;
    fixture.engine->Append(ticket, block);
    expected.insert(expected.end(), {static_cast<float>(i), static_cast<float>(2 * i)});
  }
  CHECK_EQ(Rows(done), expected);
}

TEST(a_small_request_does_not_wait_for_the_whole_of_a_large_one) {
  Fixture fixture;
  auto big = fixture.Submit({{1, 1, 1}, {2, 2, 2}, {4, 4, 4}}, 6);
  auto small = fixture.Submit({{9}}, 6);
  fixture.Drain();
  CHECK_EQ(fixture.model->batches, {{3, 6}, {9, 12}});
  CHECK_EQ(Rows(big), {3, 6, 12});
}

TEST(a_full_queue_refuses_and_an_empty_one_takes_anything) {
  Fixture fixture;
  auto first = fixture.Submit({std::vector<int32_t>(50, 1)}, 1000, 10);
  bool refused = false;
  try {
    fixture.Submit({{1}}, 1000, 10);
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kQueueFull;
  }
  CHECK(refused);
  fixture.Drain();
  CHECK_EQ(Rows(first), {50});
  auto later = fixture.Submit({{1}}, 1000, 10);
  fixture.Drain();
  CHECK_EQ(Rows(later), {1});
}

TEST(a_cancelled_request_ends_once_and_leaves_the_queue) {
  Fixture fixture;
  uint64_t ticket = 0;
  auto cancelled = fixture.Submit({{1}}, 1000, 1000, &ticket);
  auto other = fixture.Submit({{2}});
  fixture.engine->Cancel(ticket);
  fixture.engine->Cancel(ticket);
  CHECK_EQ(Code(cancelled), "ABORTED");
  fixture.Drain();
  CHECK_EQ(fixture.model->batches, {{2}});
  CHECK_EQ(Rows(other), {2});
  // Its tokens are gone too: the queue counts as empty.
  auto whole = fixture.Submit({std::vector<int32_t>(20, 1)}, 1000, 5);
  fixture.Drain();
  CHECK_EQ(Rows(whole), {20});
}

TEST(a_request_cancelled_while_its_batch_runs) {
  Fixture fixture;
  std::promise<void> open;
  fixture.model->gate = open.get_future().share();
  uint64_t ticket = 0;
  auto cancelled = fixture.Submit({{1}}, 1000, 1000, &ticket);
  auto mate = fixture.Submit({{2}});
  std::thread runner([&] { fixture.Drain(); });
  while (fixture.engine->counters().batches == 0 && cancelled.wait_for(0s) != std::future_status::ready) {
    fixture.engine->Cancel(ticket);
  }
  open.set_value();
  runner.join();
  CHECK_EQ(Code(cancelled), "ABORTED");
  CHECK_EQ(Rows(mate), {2});
}

TEST(a_request_that_cannot_be_run_fails_alone) {
  Fixture fixture;
  fixture.model->forbidden = 7;
  auto before = fixture.Submit({{1}, {2}});
  auto bad = fixture.Submit({{3}, {7}});
  auto after = fixture.Submit({{4}});
  fixture.Drain();
  CHECK_EQ(Rows(before), {1, 2});
  CHECK_EQ(Code(bad), "RUN_FAILED");
  CHECK_EQ(Rows(after), {4});
  // The replica is free again.
  auto later = fixture.Submit({{5}});
  fixture.Drain();
  CHECK_EQ(Rows(later), {5});
}

TEST(a_batch_without_memory_is_halved_and_not_tried_again) {
  Fixture fixture;
  fixture.model->memory = 4;
  auto done = fixture.Submit({{1, 1}, {2, 2}, {3, 3}, {4, 4}});
  fixture.Drain();
  CHECK_EQ(Rows(done), {2, 4, 6, 8});
  CHECK_EQ(fixture.engine->counters().out_of_memory, 1);
  auto again = fixture.Submit({{1, 1}, {2, 2}, {3, 3}, {4, 4}});
  fixture.Drain();
  CHECK_EQ(Rows(again), {2, 4, 6, 8});
  CHECK_EQ(fixture.engine->counters().out_of_memory, 1);
}

TEST(a_sequence_without_memory_runs_on_the_fallback_or_is_an_error) {
  Fixture guarded(1, [] { return std::make_unique<FakeModel>(); });
  guarded.model->memory = 2;
  auto safe = guarded.Submit({{1, 1, 1}, {2}, {3}});
  guarded.Drain();
  CHECK_EQ(Rows(safe), {3, 2, 3});
  // The three together, and the long one.
  CHECK_EQ(guarded.engine->counters().out_of_memory, 2);

  Fixture fixture;
  fixture.model->memory = 1;
  auto done = fixture.Submit({{1, 1}});
  fixture.Drain();
  CHECK_EQ(Code(done), "DEVICE_OUT_OF_MEMORY");
  auto small = fixture.Submit({{1}});
  fixture.Drain();
  CHECK_EQ(Rows(small), {1});
}

TEST(a_score_that_is_not_finite_is_run_again_or_an_error) {
  Fixture plain;
  plain.model->largest = 5;
  auto failed = plain.Submit({{1}, {9}});
  plain.Drain();
  CHECK_EQ(Code(failed), "SCORE_NOT_FINITE");

  Fixture guarded(1, [] { return std::make_unique<FakeModel>(); });
  guarded.model->largest = 5;
  auto done = guarded.Submit({{1}, {9}, {2}});
  guarded.Drain();
  CHECK_EQ(Rows(done), {1, 9, 2});
  CHECK_EQ(guarded.engine->counters().not_finite, 1);
}

TEST(threads_of_its_own_serve_until_the_engine_ends) {
  Fixture fixture({new FakeModel});
  std::vector<std::future<Outcome>> all;
  for (int32_t i = 0; i < 50; ++i) all.push_back(fixture.Submit({{i}}, 3, 100'000));
  for (int32_t i = 0; i < 50; ++i) CHECK_EQ(Rows(all[static_cast<size_t>(i)]), {static_cast<float>(i)});
  fixture.engine.reset();
}

// A GPU that is at a batch until the promise is kept.
std::shared_ptr<std::promise<void>> Hold(FakeModel& model) {
  auto gate = std::make_shared<std::promise<void>>();
  model.gate = gate->get_future().share();
  return gate;
}

size_t Batches(FakeModel& model) {
  const std::lock_guard lock(model.mutex);
  return model.batches.size();
}

bool Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 10'000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
  return condition();
}

TEST(a_free_gpu_is_fed_before_a_batch_is_staged_on_a_busy_one) {
  auto *busy = new FakeModel, *free = new FakeModel;
  const auto gate = Hold(*busy);
  Fixture fixture({busy, free});
  auto held = fixture.Submit({{1}}, 3, 100'000);
  CHECK(Eventually([&] { return busy->entered == 1; }));
  for (int i = 0; i < 20; ++i) {
    auto next = fixture.Submit({{2}}, 3, 100'000);
    CHECK_EQ(Rows(next), {2});
  }
  CHECK_EQ(Batches(*free), 20);
  gate->set_value();
  CHECK_EQ(Rows(held), {1});
}

TEST(one_request_is_shared_out_to_the_idle_gpus) {
  auto *first = new FakeModel, *second = new FakeModel;
  first->memory = second->memory = 10'000;
  const auto gates = std::array{Hold(*first), Hold(*second)};
  Fixture fixture({first, second});
  std::vector<std::vector<int32_t>> sequences(8);
  for (size_t i = 0; i < sequences.size(); ++i) sequences[i].assign(500, static_cast<int32_t>(i + 1));
  auto done = fixture.Submit(sequences, 8'000, 100'000);
  CHECK(Eventually([&] { return first->entered > 0 && second->entered > 0; }));
  for (const auto& gate : gates) gate->set_value();
  CHECK_EQ(Rows(done).size(), 8);
  CHECK(Batches(*first) > 0 && Batches(*second) > 0);
}

TEST(a_gpu_without_memory_gets_smaller_batches_ever_after) {
  auto* small = new FakeModel;
  small->memory = 4;
  Fixture fixture({small, new FakeModel});
  const std::vector<std::vector<int32_t>> eight{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}};
  for (int i = 0; i < 20; ++i) {
    auto done = fixture.Submit(eight, 8, 100'000);
    CHECK_EQ(Rows(done), {1, 2, 3, 4, 5, 6, 7, 8});
  }
  CHECK_EQ(fixture.engine->counters().out_of_memory, 1);
}

TEST(an_abandoned_engine_refuses_and_ends) {
  OrtRuntime::Open(std::getenv("ZRANK_ONNXRUNTIME"));
  auto engine = Engine::Open(
      "abandoned", {.replicas = {[] { return std::make_unique<FakeModel>(); }}, .concurrency = kGpuConcurrency});
  Engine::AbandonAll();
  bool refused = false;
  try {
    engine->Submit({{{1}, {}, {0, 1}, {0}}, {10, 10}, 10, 1, {}, {}, {}});
  } catch (const Error& error) {
    refused = error.code() == ErrorCode::kClosed;
  }
  CHECK(refused);
  engine.reset();
}

std::vector<size_t> Sizes(const FakeModel& model) {
  std::vector<size_t> sizes;
  for (const auto& batch : model.batches) sizes.push_back(batch.size());
  return sizes;
}

std::vector<std::vector<int32_t>> Distinct(size_t count, size_t prefix, size_t length) {
  std::vector<std::vector<int32_t>> sequences;
  for (size_t i = 0; i < count; ++i) {
    sequences.emplace_back(prefix, 0);
    sequences.back().resize(length, static_cast<int32_t>(i + 1));
  }
  return sequences;
}

TEST(batches_shrink_towards_the_end_so_that_workers_end_together) {
  Fixture fixture(2);
  fixture.model->memory = 10'000;
  auto done = fixture.Submit(Distinct(16, 0, 100), 10'000, 10'000);
  fixture.Drain();
  CHECK_EQ(Sizes(*fixture.model), {8, 4, 2, 2});
  Fixture alone(1);
  alone.model->memory = 10'000;
  auto whole = alone.Submit(Distinct(16, 0, 100), 10'000, 10'000);
  alone.Drain();
  CHECK_EQ(Sizes(*alone.model), {16});
}

TEST(what_sequences_share_is_not_computed_again_for_balance_alone) {
  for (const size_t prefix : {0, 300}) {
    Fixture fixture(2);
    fixture.model->memory = 10'000;
    const auto gate = Hold(*fixture.model);
    auto held = fixture.Submit({{1}}, 10'000, 10'000);
    std::thread other([&] { fixture.engine->RunNext(fixture.stop); });
    CHECK(Eventually([&] { return fixture.model->entered == 1; }));
    auto done = fixture.Submit(Distinct(8, prefix, prefix + 100), 10'000, 10'000);
    std::thread self([&] { fixture.Drain(); });
    CHECK(Eventually([&] { return fixture.model->entered == 2; }));
    gate->set_value();
    other.join();
    self.join();
    const std::vector<size_t> sizes = Sizes(*fixture.model);
    CHECK_EQ(*std::max_element(sizes.begin(), sizes.end()), prefix ? 8 : 4);
  }
}

TEST(many_workers_and_many_requests) {
  Fixture fixture(3);
  std::vector<std::future<Outcome>> all;
  for (int32_t i = 0; i < 200; ++i) all.push_back(fixture.Submit({{i}, {i, i}}, 7, 100'000));
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back([&] { fixture.Drain(); });
  for (auto& worker : workers) worker.join();
  for (int32_t i = 0; i < 200; ++i) {
    const auto value = static_cast<float>(i);
    CHECK_EQ(Rows(all[static_cast<size_t>(i)]), {value, 2 * value});
  }
  CHECK_EQ(fixture.engine->counters().sequences, 400);
}

TEST(a_stopped_worker_leaves_the_queue_to_others) {
  Fixture fixture;
  auto done = fixture.Submit({{1}});
  fixture.stop = true;
  CHECK(!fixture.engine->RunNext(fixture.stop));
  const std::atomic<bool> other{false};
  CHECK(fixture.engine->RunNext(other));
  CHECK_EQ(Rows(done), {1});
}

}  // namespace
}  // namespace zrank
