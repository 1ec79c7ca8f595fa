#pragma once

#include <optional>

#include "binding/convert.h"
#include "binding/node_api.h"
#include "core/error.h"

namespace zrank {

// Work off the JavaScript thread, and the promise that it settles. Deletes itself.
class PromiseWorker : public Napi::AsyncWorker {
 public:
  explicit PromiseWorker(Napi::Env env) : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise Start() {
    const Napi::Promise promise = deferred_.Promise();
    Queue();
    return promise;
  }

 protected:
  virtual void Work() = 0;           // on a thread of Node's pool
  virtual Napi::Value Result() = 0;  // on the JavaScript thread

 private:
  void Execute() final {
    try {
      Work();
    } catch (const std::exception& exception) {
      error_ = Classify(exception, ErrorCode::kInternal);
    }
  }

  void OnOK() final {
    try {
      if (error_) throw *error_;
      deferred_.Resolve(Result());
    } catch (const std::exception& exception) {
      deferred_.Reject(ToJs(Env(), exception));
    }
  }

  const Napi::Promise::Deferred deferred_;
  std::optional<Error> error_;
};

}  // namespace zrank
