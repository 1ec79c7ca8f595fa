// Table of contents of the addon; src/addon.ts is the same contract in TypeScript.

#include "binding/calls.h"
#include "binding/contract.h"
#include "binding/convert.h"
#include "binding/engine_object.h"
#include "binding/guarded.h"
#include "core/cuda_driver.h"
#include "core/device.h"
#include "core/ort_runtime.h"
#include "core/shared_library.h"
#include "core/words.h"
#include "kernels/dispatch.h"

namespace zrank {

namespace {

// openRuntime(libraryPath, logLevel) -> {path, version, providers}
Napi::Value OpenRuntime(const Napi::CallbackInfo& info) {
  const auto level = static_cast<OrtLoggingLevel>(info[1].As<Napi::Number>().Int32Value());
  return ToJs(info.Env(), OrtRuntime::Open(info[0].As<Napi::String>(), level));
}

// runtime() -> what openRuntime() returned, once it has been opened in this process
Napi::Value Runtime(const Napi::CallbackInfo& info) {
  const OrtRuntime* runtime = OrtRuntime::Opened();
  return runtime == nullptr ? info.Env().Undefined() : ToJs(info.Env(), *runtime);
}

// setProviderFolder(folder)
void SetProviderFolder(const Napi::CallbackInfo& info) {
  OrtRuntime::Get().SetProviderFolder(info[0].As<Napi::String>());
}

// loadedLibrary(name) -> its path, where this process has it open
Napi::Value LoadedLibrary(const Napi::CallbackInfo& info) {
  const auto path = SharedLibrary::PathOfLoaded(info[0].As<Napi::String>());
  return path ? Napi::String::New(info.Env(), *path) : info.Env().Undefined();
}

// openLibrary(name) -> its path; throws the loader's words
Napi::Value OpenLibrary(const Napi::CallbackInfo& info) {
  const SharedLibrary library(info[0].As<Napi::String>(), SharedLibrary::Symbols::kGlobal,
                              ErrorCode::kDeviceUnavailable);
  return Napi::String::New(info.Env(), library.path());
}

// kernels() -> {target, arithmetics, instructionSets, missingInstructionSets}; throws where ZRANK_CPU_TARGET names none
Napi::Value Kernels(const Napi::CallbackInfo& info) { return ToJs(info.Env(), CpuTarget(), Targets()); }

// checkDevice(kind, index): throws where the device's provider cannot be loaded
void CheckDevice(const Napi::CallbackInfo& info) {
  Ort::SessionOptions options;
  AppendProvider(options, {Parse<DeviceKind>(info[0].As<Napi::String>(), "device"), info[1].As<Napi::Number>()});
}

CudaDriver OpenCudaDriver(const Napi::Value& path) {
  return path.IsString() ? CudaDriver(path.As<Napi::String>()) : CudaDriver();
}

// cudaDevices(libraryPath?) -> the GPUs of NVIDIA's driver; throws where there is none
Napi::Value CudaDevices(const Napi::CallbackInfo& info) { return ToJs(info.Env(), OpenCudaDriver(info[0]).Devices()); }

// cudaDriverVersion(libraryPath?) -> the newest CUDA that the driver serves, 13000 for 13.0; throws as cudaDevices does
Napi::Value CudaDriverVersion(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), OpenCudaDriver(info[0]).Version());
}

// openEngine(options) -> Promise<Engine>
Napi::Value OpenEngine(const Napi::CallbackInfo& info) {
  return EngineObject::OpenAsync(info.Env(), info[0].As<Napi::Object>());
}

// drain(engineId) -> whether it ran a batch. Blocks: for worker threads.
Napi::Value Drain(const Napi::CallbackInfo& info) {
  const auto attachment = Attachment::Find(static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value()));
  return Napi::Boolean::New(info.Env(), attachment != nullptr && attachment->RunNext());
}

// append(ticket, block): the next block of a pending run() of this thread that announced it.
void Append(const Napi::CallbackInfo& info) {
  Calls::Of(info.Env()).Append(info[0].As<Napi::Number>().Int64Value(), ToBlock(info[1].As<Napi::Object>()));
}

// cancel(ticket): ends a pending run() of this thread with ABORTED.
void Cancel(const Napi::CallbackInfo& info) { Calls::Of(info.Env()).Cancel(info[0].As<Napi::Number>().Int64Value()); }

// abandon(wholeProcess): this thread exits, or the process does and runs in flight are stopped.
void Abandon(const Napi::CallbackInfo& info) {
  if (info[0].As<Napi::Boolean>()) Engine::AbandonAll();
  Calls::Of(info.Env()).Abandon();
}

// contract() -> what both sides must agree on
Napi::Value GetContract(const Napi::CallbackInfo& info) { return ContractToJs(info.Env()); }

}  // namespace

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Calls(env, EngineObject::Define(env)));
  Export<OpenRuntime>(exports, "openRuntime");
  Export<Runtime>(exports, "runtime");
  Export<SetProviderFolder>(exports, "setProviderFolder");
  Export<LoadedLibrary>(exports, "loadedLibrary");
  Export<OpenLibrary>(exports, "openLibrary");
  Export<Kernels>(exports, "kernels");
  Export<CheckDevice>(exports, "checkDevice");
  Export<CudaDevices>(exports, "cudaDevices");
  Export<CudaDriverVersion>(exports, "cudaDriverVersion");
  Export<OpenEngine>(exports, "openEngine");
  Export<Drain>(exports, "drain");
  Export<Append>(exports, "append");
  Export<Cancel>(exports, "cancel");
  Export<Abandon>(exports, "abandon");
  Export<GetContract>(exports, "contract");
  return exports;
}

}  // namespace zrank

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) { return zrank::Init(env, exports); }
NODE_API_MODULE(zrank, InitAddon)
