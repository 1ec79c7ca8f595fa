#include "binding/engine_object.h"

#include "binding/calls.h"
#include "binding/convert.h"

namespace zrank {

namespace {

// Lets go of an engine off the JavaScript thread: the last one to do so frees the model.
class ReleaseWorker : public Napi::AsyncWorker {
 public:
  ReleaseWorker(Napi::Env env, std::shared_ptr<Attachment> attachment)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), attachment_(std::move(attachment)) {}
  Napi::Promise Promise() { return deferred_.Promise(); }

 protected:
  void Execute() override { attachment_.reset(); }
  void OnOK() override { deferred_.Resolve(Env().Undefined()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Attachment> attachment_;
};

}  // namespace

Napi::Function EngineObject::Define(Napi::Env env) {
  return DefineClass(env, "Engine",
                     {InstanceAccessor<&EngineObject::Id>("id"), InstanceMethod<&EngineObject::Counters>("counters"),
                      InstanceMethod<&EngineObject::Run>("run"), InstanceMethod<&EngineObject::Close>("close")});
}

EngineObject::EngineObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<EngineObject>(info),
      attachment_(std::move(*info[0].As<Napi::External<std::shared_ptr<Attachment>>>().Data())) {}

EngineObject::~EngineObject() {
  if (attachment_) attachment_->Stop();
}

const std::shared_ptr<Attachment>& EngineObject::Open(Napi::Env env) const {
  if (!attachment_) throw Napi::Error(env, ToJs(env, Error(ErrorCode::kClosed, "this engine is closed")));
  return attachment_;
}

Napi::Value EngineObject::Id(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Open(info.Env())->id()));
}

Napi::Value EngineObject::Counters(const Napi::CallbackInfo& info) {
  return ToJs(info.Env(), Open(info.Env())->engine().counters());
}

Napi::Value EngineObject::Run(const Napi::CallbackInfo& info) {
  return Calls::Of(info.Env())
      .Submit(info.Env(), Open(info.Env()), ToWork(info[0].As<Napi::Object>()), info[2],
              info[1].As<Napi::Number>().Uint32Value());
}

Napi::Value EngineObject::Close(const Napi::CallbackInfo& info) {
  Open(info.Env())->Stop();
  auto* worker = new ReleaseWorker(info.Env(), std::move(attachment_));
  worker->Queue();
  return worker->Promise();
}

}  // namespace zrank
