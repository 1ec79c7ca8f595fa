// Table of contents of the addon; src/runtime/addon.ts is the same contract in TypeScript.

#include "binding/calls.h"
#include "binding/convert.h"
#include "binding/engine_object.h"
#include "core/ort_runtime.h"
#include "kernels/gemm.h"

namespace zrank {

namespace {

// openRuntime(libraryPath) -> version
Napi::Value OpenRuntime(const Napi::CallbackInfo& info) {
  try {
    return Napi::String::New(info.Env(), OrtRuntime::Open(info[0].As<Napi::String>()).version());
  } catch (const std::exception& exception) {
    throw Napi::Error(info.Env(), ToJs(info.Env(), exception));
  }
}

// kernels() -> the arithmetics of this processor's matrix kernels
Napi::Value Kernels(const Napi::CallbackInfo& info) {
  auto names = Napi::Array::New(info.Env());
  if (FindGemmKernel(Arithmetic::kFp32)) names.Set(names.Length(), "fp32");
  if (FindGemmKernel(Arithmetic::kBf16)) names.Set(names.Length(), "bf16");
  return names;
}

class OpenWorker : public Napi::AsyncWorker {
 public:
  OpenWorker(Napi::Env env, Napi::Object object)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        key_(object.Get("key").As<Napi::String>()),
        spec_(ToEngineSpec(object)) {}
  Napi::Promise Promise() { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      attachment_ = Attachment::Create(Engine::Open(key_, spec_));
    } catch (const std::exception& exception) {
      error_ = std::make_unique<Error>(Classify(exception, ErrorCode::kSessionFailed));
    }
  }
  void OnOK() override {
    if (error_) {
      deferred_.Reject(ToJs(Env(), *error_));
    } else {
      Calls::Of(Env()).Attached(attachment_);
      deferred_.Resolve(Calls::Of(Env()).engine_constructor().New({Napi::External<std::shared_ptr<Attachment>>::New(Env(), &attachment_)}));
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  const std::string key_;
  const EngineSpec spec_;
  std::shared_ptr<Attachment> attachment_;
  std::unique_ptr<Error> error_;
};

// openEngine(options) -> Promise<Engine>
Napi::Value OpenEngine(const Napi::CallbackInfo& info) {
  auto* worker = new OpenWorker(info.Env(), info[0].As<Napi::Object>());
  worker->Queue();
  return worker->Promise();
}

// drain(engineId): runs batches on this thread until none is left. Blocks: for worker threads.
void Drain(const Napi::CallbackInfo& info) {
  if (const auto attachment = Attachment::Find(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()))) {
    attachment->Drain();
  }
}

// cancel(call): ends a pending run() of this thread with ABORTED.
void Cancel(const Napi::CallbackInfo& info) { Calls::Of(info.Env()).Cancel(info[0].As<Napi::Number>().Uint32Value()); }

// abandon(wholeProcess): this thread exits, or the process does and runs in flight are stopped.
void Abandon(const Napi::CallbackInfo& info) {
  if (info[0].As<Napi::Boolean>()) Engine::AbandonAll();
  Calls::Of(info.Env()).Abandon();
}

// errorCodes(): every code that native errors carry.
Napi::Value ErrorCodes(const Napi::CallbackInfo& info) {
  auto codes = Napi::Array::New(info.Env());
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    codes.Set(static_cast<uint32_t>(code), std::string(Name(static_cast<ErrorCode>(code))));
  }
  return codes;
}

}  // namespace

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Calls(env, EngineObject::Define(env)));
  exports.Set("openRuntime", Napi::Function::New<OpenRuntime>(env));
  exports.Set("kernels", Napi::Function::New<Kernels>(env));
  exports.Set("openEngine", Napi::Function::New<OpenEngine>(env));
  exports.Set("drain", Napi::Function::New<Drain>(env));
  exports.Set("cancel", Napi::Function::New<Cancel>(env));
  exports.Set("abandon", Napi::Function::New<Abandon>(env));
  exports.Set("errorCodes", Napi::Function::New<ErrorCodes>(env));
  return exports;
}

}  // namespace zrank

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return zrank::Init(env, exports); }
NODE_API_MODULE(zrank, InitAddon)
