#include "binding/channel.h"

#include "binding/convert.h"

namespace zrank {

namespace {

void RunTask(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Channel::Task> task(static_cast<Channel::Task*>(data));
  if (env == nullptr) return;  // the thread is going down
  const Napi::HandleScope scope(env);
  try {
    (*task)(env);
  } catch (const Napi::Error&) {
    // Tasks let no exception of the user's through: this one says that the thread is being terminated.
  } catch (const std::exception& exception) {
    napi_fatal_exception(env, ToJs(env, exception));
  }
}

}  // namespace

std::shared_ptr<Channel> Channel::Create(Napi::Env env) {
  std::shared_ptr<Channel> channel(new Channel(env));
  // The finalizer's hint keeps the channel alive until the function has been told to close.
  auto* hint = new std::shared_ptr<Channel>(channel);
  const auto close = [](napi_env, void* data, void*) {
    const std::unique_ptr<std::shared_ptr<Channel>> held(static_cast<std::shared_ptr<Channel>*>(data));
    const std::lock_guard lock((*held)->mutex_);
    (*held)->function_ = nullptr;
  };
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "zrank"), 0,
                                                             1, hint, close, nullptr, RunTask, &channel->function_);
  if (status != napi_ok) {
    delete hint;
    throw Napi::Error::New(env, "napi_create_threadsafe_function failed");
  }
  napi_unref_threadsafe_function(env, channel->function_);
  return channel;
}

void Channel::Post(Task task) {
  auto owned = std::make_unique<Task>(std::move(task));
  const std::lock_guard lock(mutex_);
  if (function_ == nullptr) return;
  const napi_status status = napi_call_threadsafe_function(function_, owned.get(), napi_tsfn_nonblocking);
  if (status == napi_ok) {
    owned.release();
  } else {
    function_ = nullptr;
  }
}

void Channel::Hold() {
  const std::lock_guard lock(mutex_);
  if (held_++ == 0 && function_ != nullptr) napi_ref_threadsafe_function(env_, function_);
}

void Channel::Release() {
  const std::lock_guard lock(mutex_);
  if (--held_ == 0 && function_ != nullptr) napi_unref_threadsafe_function(env_, function_);
}

}  // namespace zrank
