#pragma once

#include <memory>
#include <string>

#include "binding/node_api.h"
#include "core/engine.h"

namespace zrank {

// Opens an engine off the JavaScript thread: a model on a GPU takes its time to load.
class OpenWorker : public Napi::AsyncWorker {
 public:
  OpenWorker(Napi::Env env, Napi::Object options);
  Napi::Promise Promise() { return deferred_.Promise(); }

 protected:
  void Execute() override;
  void OnOK() override;

 private:
  Napi::Promise::Deferred deferred_;
  const std::string key_;
  const EngineSpec spec_;
  std::shared_ptr<Attachment> attachment_;
  std::unique_ptr<Error> error_;
};

}  // namespace zrank
