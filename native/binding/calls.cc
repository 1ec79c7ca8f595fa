#include "binding/calls.h"

#include "binding/convert.h"

namespace zrank {

namespace {

// Calls a function of the user's. What it throws is an uncaught exception of this thread, as in any event handler; a
// thread that is being terminated can neither run it nor hold an exception.
void Notify(Napi::Env env, const Napi::FunctionReference& function, double argument) {
  const napi_value arguments[] = {Napi::Number::New(env, argument)};
  if (napi_call_function(env, env.Undefined(), function.Value(), 1, arguments, nullptr) != napi_pending_exception)
    return;
  napi_value exception;
  if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
}

}  // namespace

Calls::~Calls() {
  Abandon();
  for (auto& [ticket, pending] : pending_) {  // the environment frees them
    pending.on_start.SuppressDestruct();
    pending.on_progress.SuppressDestruct();
  }
}

void Calls::Attached(std::weak_ptr<Attachment> attachment) {
  std::erase_if(attachments_, [](const auto& weak) { return weak.expired(); });
  attachments_.push_back(std::move(attachment));
}

void Calls::Abandon() {
  for (auto& [ticket, pending] : pending_) pending.attachment->engine().Cancel(pending.request);
  for (const auto& weak : attachments_) {
    if (const auto attachment = weak.lock()) attachment->Stop();
  }
}

Napi::Object Calls::Submit(Napi::Env env, std::shared_ptr<Attachment> attachment, Work work,
                           const Listeners& listeners) {
  const uint64_t ticket = next_ticket_++;
  Pending pending{Napi::Promise::Deferred::New(env), {}, {}, attachment, 0, 0};
  auto call = Napi::Object::New(env);
  call.Set("ticket", static_cast<double>(ticket));
  call.Set("rows", pending.deferred.Promise());
  if (listeners.on_start.IsFunction()) {
    pending.on_start = Napi::Persistent(listeners.on_start.As<Napi::Function>());
    work.on_start = [channel = channel_, ticket](double waited) {
      channel->Post([ticket, waited](Napi::Env env) {
        auto& calls = Of(env).pending_;
        const auto found = calls.find(ticket);
        if (found != calls.end()) Notify(env, found->second.on_start, waited);
      });
    };
  }
  if (listeners.on_progress.IsFunction()) {
    pending.on_progress = Napi::Persistent(listeners.on_progress.As<Napi::Function>());
    work.on_progress = [channel = channel_, ticket](size_t done) {
      channel->Post([ticket, done](Napi::Env env) {
        auto& calls = Of(env).pending_;
        const auto found = calls.find(ticket);
        // Batches end on several threads: a report may be overtaken by a later one.
        if (found == calls.end() || done <= found->second.done) return;
        found->second.done = done;
        Notify(env, found->second.on_progress, static_cast<double>(done));
      });
    };
  }
  work.on_done = [channel = channel_, ticket](Outcome outcome) {
    auto shared = std::make_shared<const Outcome>(std::move(outcome));
    channel->Post([ticket, shared](Napi::Env env) { Of(env).Settle(env, ticket, *shared); });
  };
  pending.request = attachment->engine().Submit(std::move(work));
  // Its outcome, if there is one already, waits for this thread.
  pending_.emplace(ticket, std::move(pending));
  channel_->Hold();
  return call;
}

void Calls::Append(uint64_t ticket, Block block) {
  const auto found = pending_.find(ticket);
  if (found != pending_.end()) found->second.attachment->engine().Append(found->second.request, std::move(block));
}

void Calls::Cancel(uint64_t ticket) {
  const auto found = pending_.find(ticket);
  if (found != pending_.end()) found->second.attachment->engine().Cancel(found->second.request);
}

void Calls::Settle(Napi::Env env, uint64_t ticket, const Outcome& outcome) {
  const auto entry = pending_.extract(ticket);
  if (entry.empty()) return;
  channel_->Release();
  const Napi::Promise::Deferred& deferred = entry.mapped().deferred;
  try {
    if (const auto* error = std::get_if<Error>(&outcome)) throw *error;
    const auto& rows = std::get<std::vector<float>>(outcome);
    auto array = Napi::Float32Array::New(env, rows.size());
    std::copy(rows.begin(), rows.end(), array.Data());
    deferred.Resolve(array);
  } catch (const std::exception& exception) {
    deferred.Reject(ToJs(env, exception));
  }
}

}  // namespace zrank
