#include "binding/open_worker.h"

#include "binding/calls.h"
#include "binding/convert.h"

namespace zrank {

OpenWorker::OpenWorker(Napi::Env env, Napi::Object options)
    : Napi::AsyncWorker(env),
      deferred_(Napi::Promise::Deferred::New(env)),
      key_(options.Get("key").As<Napi::String>()),
      spec_(ToEngineSpec(options)) {}

void OpenWorker::Execute() {
  try {
    attachment_ = Attachment::Create(Engine::Open(key_, spec_));
  } catch (const std::exception& exception) {
    error_ = std::make_unique<Error>(Classify(exception, ErrorCode::kSessionFailed));
  }
}

void OpenWorker::OnOK() {
  if (error_) {
    deferred_.Reject(ToJs(Env(), *error_));
    return;
  }
  Calls& calls = Calls::Of(Env());
  calls.Attached(attachment_);
  deferred_.Resolve(
      calls.engine_constructor().New({Napi::External<std::shared_ptr<Attachment>>::New(Env(), &attachment_)}));
}

}  // namespace zrank
