#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/batch_plan.h"
#include "core/error.h"
#include "core/fallback_model.h"
#include "core/model.h"
#include "core/request_queue.h"
#include "core/team.h"

namespace zrank {

struct EngineCounters {
  uint64_t batches = 0, sequences = 0;
  uint64_t tokens = 0;           // of all prompts
  uint64_t computed_tokens = 0;  // after sharing
  uint64_t padded_tokens = 0;
  double run_seconds = 0;      // summed over runs
  double compute_seconds = 0;  // of these, in ONNX Runtime; a GPU has one run there at a time and is idle between them
  uint64_t out_of_memory = 0;  // runs that the device had no memory for: halved, or a sequence run on the fallback
  uint64_t not_finite = 0;     // sequences that were run again on the fallback
  uint64_t queued_tokens = 0;  // that wait now, and that are announced
};

// How an engine is made.
struct EngineSpec {
  std::vector<ModelFactory> replicas = {};  // one a GPU, or the one of the CPU
  Concurrency concurrency = CpuConcurrency(1);
  ModelFactory fallback = {};  // for sequences that a GPU has no memory for or gives no finite score; may be empty
};

// One model, in as many replicas as there are GPUs, and the queue before it. Requests wait in order of arrival; whoever
// calls RunNext forms the next batch and runs it on its own thread, on the replica with the fewest runs. Every public
// function may be called from any thread.
class Engine {
 public:
  // The engine of the process for `key`, made from `spec` if there is none. A second caller waits for the first.
  static std::shared_ptr<Engine> Open(const std::string& key, const EngineSpec& spec);
  // The process is exiting: stops every run of every engine and refuses new ones.
  static void AbandonAll();

  explicit Engine(const EngineSpec& spec);
  ~Engine();

  EngineCounters counters() const;

  // Returns a ticket for Append and Cancel. Throws QUEUE_FULL at once instead of waiting.
  uint64_t Submit(Work work);
  // The next block of a request that announced it; nothing where that has ended.
  void Append(uint64_t ticket, Block block);
  // Ends the request with ABORTED, if it is still there. A batch that runs already is not stopped.
  void Cancel(uint64_t ticket);
  // Runs the next batch, once a replica is free; while there is none, helps in those that run. False where all is done
  // or `stop` is set. Blocks: for worker threads only.
  bool RunNext(const std::atomic<bool>& stop);
  // Wakes threads that wait in RunNext so that they look at `stop` again.
  void Wake();

 private:
  struct Replica {
    std::unique_ptr<FallbackModel> model;
    int runs = 0;  // now
  };

  void Abandon();          // stops every run and refuses new requests
  bool IsRunning() const;  // needs mutex_
  void Changed();          // needs mutex_: what RunNext waits for may have come
  void Serve();            // what the engine's own threads do
  void JoinThreads();      // once abandoned_ is set
  void Run(const Batch& batch, Replica& replica);
  std::variant<RunResult, Error> Compute(std::span<const Sequence> sequences, Model& model);
  void Count(std::span<const Sequence> sequences, const RunCounts& counts, double seconds);  // needs mutex_
  void Conclude(Request& request);
  void Finish(Request& request, Outcome outcome);

  const Concurrency concurrency_;
  std::vector<Replica> replicas_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Team team_;  // the threads in RunNext, where concurrency_ says so
  RequestQueue queue_;
  std::unordered_map<uint64_t, std::shared_ptr<Request>> open_;  // by ticket: every request without an outcome
  std::set<Ort::RunOptions*> running_;
  uint64_t next_ticket_ = 1;
  bool abandoned_ = false;
  EngineCounters counters_;
  std::vector<std::thread> threads_;
};

// One caller's hold on an engine: it gives the caller's worker threads a number to find the engine by, and a flag that
// sends them home.
class Attachment {
 public:
  static std::shared_ptr<Attachment> Create(std::shared_ptr<Engine> engine);
  static std::shared_ptr<Attachment> Find(uint64_t id);

  uint64_t id() const { return id_; }
  Engine& engine() { return *engine_; }
  bool RunNext() { return engine_->RunNext(stop_); }
  void Stop();

 private:
  Attachment(uint64_t id, std::shared_ptr<Engine> engine) : id_(id), engine_(std::move(engine)) {}

  const uint64_t id_;
  const std::shared_ptr<Engine> engine_;
  std::atomic<bool> stop_{false};
};

}  // namespace zrank
