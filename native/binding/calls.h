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

  // Submits the work and returns its promise; settled on this thread.
  Napi::Promise Submit(Napi::Env env, std::shared_ptr<Attachment> attachment, Work work, Napi::Value on_progress,
                       uint32_t call);
  void Cancel(uint32_t call);
  // This thread's hold on an engine, until it is let go.
  void Attached(std::weak_ptr<Attachment> attachment);
  // The thread exits: its calls end and its workers go home after the batch they run.
  void Abandon();

 private:
  struct Pending {
    Napi::Promise::Deferred deferred;
    Napi::FunctionReference on_progress;
    std::shared_ptr<Attachment> attachment;
    uint64_t ticket;
    size_t done = 0;  // sequences, as last reported
  };

  void Settle(Napi::Env env, uint32_t call, Outcome outcome);

  Napi::FunctionReference engine_constructor_;
  std::shared_ptr<Channel> channel_;
  std::unordered_map<uint32_t, Pending> pending_;
  std::vector<std::weak_ptr<Attachment>> attachments_;
};

}  // namespace zrank
