#include "binding/engine_object.h"

#include "binding/calls.h"
#include "binding/convert.h"
#include "binding/promise_worker.h"

namespace zrank {

namespace {

class OpenWorker : public PromiseWorker {
 public:
  OpenWorker(Napi::Env env, Napi::Object options)
      : PromiseWorker(env), key_(options.Get("key").As<Napi::String>()), spec_(ToEngineSpec(options)) {}

 protected:
  void Work() override {
    try {
      attachment_ = Attachment::Create(Engine::Open(key_, spec_));
    } catch (const std::exception& exception) {
      throw Classify(exception, ErrorCode::kSessionFailed);
    }
  }
  Napi::Value Result() override {
    Calls& calls = Calls::Of(Env());
    calls.Attached(attachment_);
    return calls.engine_constructor().New({Napi::External<std::shared_ptr<Attachment>>::New(Env(), &attachment_)});
  }

 private:
  const std::string key_;
  const EngineSpec spec_;
  std::shared_ptr<Attachment> attachment_;
};

// Lets go of an engine off the JavaScript thread: the last one to do so frees the model.
class ReleaseWorker : public PromiseWorker {
 public:
  ReleaseWorker(Napi::Env env, std::shared_ptr<Attachment> attachment)
      : PromiseWorker(env), attachment_(std::move(attachment)) {}

 protected:
  void Work() override { attachment_.reset(); }
  Napi::Value Result() override { return Env().Undefined(); }

 private:
  std::shared_ptr<Attachment> attachment_;
};

}  // namespace

Napi::Function EngineObject::Define(Napi::Env env) {
  return DefineClass(env, "Engine",
                     {InstanceAccessor<&EngineObject::GuardedMethod<&EngineObject::Id>>("id"),
                      InstanceMethod<&EngineObject::GuardedMethod<&EngineObject::Counters>>("counters"),
                      InstanceMethod<&EngineObject::GuardedMethod<&EngineObject::Run>>("run"),
                      InstanceMethod<&EngineObject::GuardedMethod<&EngineObject::Close>>("close")});
}

Napi::Promise EngineObject::OpenAsync(Napi::Env env, Napi::Object options) {
  return (new OpenWorker(env, options))->Start();
}

EngineObject::EngineObject(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<EngineObject>(info),
      attachment_(std::move(*info[0].As<Napi::External<std::shared_ptr<Attachment>>>().Data())) {}

EngineObject::~EngineObject() {
  if (attachment_) attachment_->Stop();
}

const std::shared_ptr<Attachment>& EngineObject::Open() const {
  if (!attachment_) throw Error(ErrorCode::kClosed, "this engine is closed");
  return attachment_;
}

Napi::Value EngineObject::Id(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Open()->id()));
}

Napi::Value EngineObject::Counters(const Napi::CallbackInfo& info) {
  return ToJs(info.Env(), Open()->engine().counters());
}

Napi::Value EngineObject::Run(const Napi::CallbackInfo& info) {
  const std::shared_ptr<Attachment>& attachment = Open();
  const Calls::Listeners listeners{info[1], info[2]};
  return Calls::Of(info.Env()).Submit(info.Env(), attachment, ToWork(info[0].As<Napi::Object>()), listeners);
}

Napi::Value EngineObject::Close(const Napi::CallbackInfo& info) {
  Open()->Stop();
  return (new ReleaseWorker(info.Env(), std::move(attachment_)))->Start();
}

}  // namespace zrank
