#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "binding/channel.h"
#include "binding/node_api.h"
#include "core/engine.h"

namespace zrank {

// State of one JavaScript thread (one Node environment): its channel and the promises it waits for.
class Calls {
 public:
  Calls(Napi::Env env, Napi::Function engine_constructor)
      : engine_constructor_(Napi::Persistent(engine_constructor)), channel_(Channel::Create(env)) {}
  ~Calls();

  static Calls& Of(Napi::Env env) { return *env.GetInstanceData<Calls>(); }
  Napi::FunctionReference& engine_constructor() { return engine_constructor_; }

  // The functions that a call may have told how it is going; each may be undefined.
  struct Listeners {
    Napi::Value on_start, on_progress;
  };

  // Submits the work: {ticket, rows}, a number for Append and Cancel and a promise that is settled on this thread.
  // Throws QUEUE_FULL.
  Napi::Object Submit(Napi::Env env, std::shared_ptr<Attachment> attachment, Work work, const Listeners& listeners);
  void Append(uint64_t ticket, Block block);
  void Cancel(uint64_t ticket);
  // This thread's hold on an engine, until it is let go.
  void Attached(std::weak_ptr<Attachment> attachment);
  // The thread exits: its calls end and its workers go home after the batch they run.
  void Abandon();

 private:
  struct Pending {
    Napi::Promise::Deferred deferred;
    Napi::FunctionReference on_start;
    Napi::FunctionReference on_progress;
    std::shared_ptr<Attachment> attachment;
    uint64_t request;  // the engine's ticket
    size_t done = 0;   // sequences, as last reported
  };

  void Settle(Napi::Env env, uint64_t ticket, const Outcome& outcome);

  Napi::FunctionReference engine_constructor_;
  std::shared_ptr<Channel> channel_;
  uint64_t next_ticket_ = 1;
  std::unordered_map<uint64_t, Pending> pending_;
  std::vector<std::weak_ptr<Attachment>> attachments_;
};

}  // namespace zrank
