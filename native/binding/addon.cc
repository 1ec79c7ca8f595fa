// Table of contents of the addon; src/addon.ts is the same contract in TypeScript.

#include "binding/calls.h"
#include "binding/convert.h"
#include "binding/engine_object.h"
#include "binding/open_worker.h"
#include "core/cuda_driver.h"
#include "core/device.h"
#include "core/ort_runtime.h"
#include "core/shared_library.h"
#include "kernels/dispatch.h"

namespace zrank {

namespace {

// Native exceptions as JavaScript's, with their code.
template <typename Body>
auto Guarded(const Napi::CallbackInfo& info, Body body) {
  try {
    return body();
  } catch (const std::exception& exception) {
    throw Napi::Error(info.Env(), ToJs(info.Env(), exception));
  }
}

// openRuntime(libraryPath) -> {path, version, providers}
Napi::Value OpenRuntime(const Napi::CallbackInfo& info) {
  return Guarded(info, [&] { return ToJs(info.Env(), OrtRuntime::Open(info[0].As<Napi::String>())); });
}

// runtime() -> what openRuntime() returned, once it has been opened in this process
Napi::Value Runtime(const Napi::CallbackInfo& info) {
  const OrtRuntime* runtime = OrtRuntime::Opened();
  return runtime == nullptr ? info.Env().Undefined() : ToJs(info.Env(), *runtime);
}

// setProviderFolder(folder)
void SetProviderFolder(const Napi::CallbackInfo& info) {
  Guarded(info, [&] { OrtRuntime::Get().SetProviderFolder(info[0].As<Napi::String>()); });
}

// loadedLibrary(name) -> its path, where this process has it open
Napi::Value FindLoadedLibrary(const Napi::CallbackInfo& info) {
  const auto path = SharedLibrary::PathOfLoaded(info[0].As<Napi::String>());
  return path ? Napi::String::New(info.Env(), *path) : info.Env().Undefined();
}

// openLibrary(name) -> its path; throws the loader's words
Napi::Value OpenSharedLibrary(const Napi::CallbackInfo& info) {
  return Guarded(info, [&] {
    const SharedLibrary library(info[0].As<Napi::String>(), SharedLibrary::Symbols::kGlobal,
                                ErrorCode::kDeviceUnavailable);
    return Napi::String::New(info.Env(), library.path());
  });
}

// kernels() -> the arithmetics of this processor's matrix kernels
Napi::Value Kernels(const Napi::CallbackInfo& info) {
  auto names = Napi::Array::New(info.Env());
  if (FindGemmKernel(Arithmetic::kFp32)) names.Set(names.Length(), "fp32");
  if (FindGemmKernel(Arithmetic::kBf16)) names.Set(names.Length(), "bf16");
  if (FindGemmKernel(Arithmetic::kInt8)) names.Set(names.Length(), "int8");
  return names;
}

// checkDevice(kind, index): throws where the device's provider cannot be loaded
void CheckDevice(const Napi::CallbackInfo& info) {
  Guarded(info, [&] {
    Ort::SessionOptions options;
    AppendProvider(options, {DeviceKindOf(info[0].As<Napi::String>()), info[1].As<Napi::Number>().Int32Value()});
  });
}

CudaDriver OpenCudaDriver(const Napi::Value& path) {
  return path.IsString() ? CudaDriver(path.As<Napi::String>()) : CudaDriver();
}

// cudaDevices(libraryPath?) -> the GPUs of NVIDIA's driver; throws where there is none
Napi::Value CudaDevices(const Napi::CallbackInfo& info) {
  return Guarded(info, [&] { return ToJs(info.Env(), OpenCudaDriver(info[0]).Devices()); });
}

// cudaDriverVersion(libraryPath?) -> the newest CUDA that the driver serves, 13000 for 13.0; throws as cudaDevices does
Napi::Value CudaDriverVersion(const Napi::CallbackInfo& info) {
  return Guarded(info, [&] { return Napi::Number::New(info.Env(), OpenCudaDriver(info[0]).Version()); });
}

// openEngine(options) -> Promise<Engine>
Napi::Value OpenEngine(const Napi::CallbackInfo& info) {
  auto* worker = new OpenWorker(info.Env(), info[0].As<Napi::Object>());
  worker->Queue();
  return worker->Promise();
}

// drain(engineId) -> whether it ran a batch. Blocks: for worker threads.
Napi::Value Drain(const Napi::CallbackInfo& info) {
  const auto attachment = Attachment::Find(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
  return Napi::Boolean::New(info.Env(), attachment != nullptr && attachment->RunNext());
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
  exports.Set("runtime", Napi::Function::New<Runtime>(env));
  exports.Set("setProviderFolder", Napi::Function::New<SetProviderFolder>(env));
  exports.Set("loadedLibrary", Napi::Function::New<FindLoadedLibrary>(env));
  exports.Set("openLibrary", Napi::Function::New<OpenSharedLibrary>(env));
  exports.Set("kernels", Napi::Function::New<Kernels>(env));
  exports.Set("checkDevice", Napi::Function::New<CheckDevice>(env));
  exports.Set("cudaDevices", Napi::Function::New<CudaDevices>(env));
  exports.Set("cudaDriverVersion", Napi::Function::New<CudaDriverVersion>(env));
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
