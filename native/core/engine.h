#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "core/batch_plan.h"
#include "core/error.h"
#include "core/model.h"

namespace zrank {

// The rows of a request's sequences in the order they came in, or why there are none.
using Outcome = std::variant<std::vector<float>, Error>;

// What a caller submits. Everything in it is a copy: nothing that JavaScript owns reaches another thread.
struct Work {
  std::vector<int32_t> ids;       // all sequences, one after the other
  std::vector<uint8_t> type_ids;  // as long as ids, or empty
  std::vector<uint32_t> offsets;  // [sequences + 1] where each begins and ends in ids
  std::vector<uint32_t> groups;   // [sequences] equal for sequences that begin alike (the documents of one query)
  BatchLimits limits{};
  uint64_t max_queue_tokens = 0;  // refuse when more than this waits already
  // Both are called on the thread that ran the batch (on_done also on the one that cancels), never under a lock.
  std::function<void(size_t sequences_done)> on_progress;
  std::function<void(Outcome)> on_done;
};

struct EngineCounters {
  uint64_t batches = 0, sequences = 0;
  uint64_t tokens = 0;           // of all prompts
  uint64_t computed_tokens = 0;  // after sharing
  uint64_t padded_tokens = 0;
  double run_seconds = 0;      // summed over runs
  double compute_seconds = 0;  // of these, in ONNX Runtime; a GPU has one run there at a time and is idle between them
  uint64_t out_of_memory = 0;  // runs that the device had no memory for: halved, or a sequence run on the safer model
  uint64_t not_finite = 0;     // sequences that were run again in a safer precision
};

// How an engine is made.
struct EngineSpec {
  using ModelFactory = std::function<std::unique_ptr<Model>()>;

  // A replica a GPU, or the one of the CPU.
  std::vector<ModelFactory> replicas;
  // On GPUs the engine's own threads drain its queue, on the CPU its callers do.
  bool on_gpus = false;
  int workers = 1;     // batches that run side by side on the CPU
  ModelFactory safer;  // for sequences whose score is not finite or that a GPU has no memory for; may be empty
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

  // Returns a ticket for Cancel. Throws QUEUE_FULL at once instead of waiting.
  uint64_t Submit(Work work);
  // Ends the request with ABORTED, if it is still there. A batch that runs already is not stopped.
  void Cancel(uint64_t ticket);
  // Runs the next batch, once a replica is free. False where the queue is empty or `stop` is set. Blocks: for worker
  // threads only.
  bool RunNext(const std::atomic<bool>& stop);
  // Wakes threads that wait in RunNext so that they look at `stop` again.
  void Wake();

 private:
  struct Request;
  struct Batch;
  struct Replica {
    std::unique_ptr<Model> model;
    int runs = 0;                      // now
    uint64_t max_tokens = UINT64_MAX;  // lowered when the device runs out of memory
  };

  void Abandon();                                                  // stops every run and refuses new requests
  Replica* FreeReplica();                                          // needs mutex_
  int AtOnce() const { return on_gpus_ ? 1 : runs_per_replica_; }  // batches that a replica computes side by side
  uint64_t Idle() const;                                           // needs mutex_
  uint64_t BalancedTokens() const;                                 // needs mutex_
  Batch NextBatch(const Replica& replica);                         // needs mutex_
  void Serve();                                                    // what the engine's own threads do
  void JoinThreads();                                              // once abandoned_ is set
  void Run(Batch batch, Replica& replica);
  RunResult RunOrHalve(Replica& replica, std::span<const Sequence> sequences, const Ort::RunOptions& options);
  Model& Safer();  // made when first asked for
  void MakeFinite(std::span<const Sequence> sequences, const Ort::RunOptions& options, RunResult& result);
  void Finish(const std::shared_ptr<Request>& request, Outcome outcome);
  bool Remove(const Request& request);  // needs mutex_

  const bool on_gpus_;
  const int runs_per_replica_;
  std::vector<Replica> replicas_;
  const EngineSpec::ModelFactory make_safer_;
  std::once_flag safer_made_;
  std::unique_ptr<Model> safer_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<std::shared_ptr<Request>> queue_;  // requests with sequences that no batch has taken
  std::list<std::shared_ptr<Request>> open_;   // every request without an outcome
  std::set<Ort::RunOptions*> running_;
  uint64_t queued_tokens_ = 0;
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
