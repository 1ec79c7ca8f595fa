#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "binding/node_api.h"

namespace zrank {

// How other threads speak to one JavaScript thread. Rules, each of which was somebody's bug before it was a rule:
// - a task is made and destroyed on any thread, so it captures nothing that belongs to JavaScript;
// - after the thread-safe function has said napi_closing once, nobody may call it again;
// - it keeps the event loop alive only while Hold() outweighs Release(), both called on the JavaScript thread.
class Channel {
 public:
  using Task = std::function<void(Napi::Env)>;

  static std::shared_ptr<Channel> Create(Napi::Env env);

  // Runs the task on the JavaScript thread; drops it when that thread is gone. Any thread.
  void Post(Task task);
  void Hold();
  void Release();

 private:
  explicit Channel(Napi::Env env) : env_(env) {}

  const Napi::Env env_;
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;  // guarded by mutex_; null once closed
  int held_ = 0;                                 // JavaScript thread only
};

}  // namespace zrank
