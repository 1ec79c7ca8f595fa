#include "core/ort_runtime.h"

#include <atomic>
#include <mutex>

#include "core/error.h"
#include "core/shared_library.h"

namespace zrank {

namespace {

std::atomic<OrtRuntime*> runtime{nullptr};

const OrtApiBase* Load(const std::string& library_path) {
  const SharedLibrary library(library_path, SharedLibrary::Symbols::kLocal, ErrorCode::kOnnxRuntimeNotFound);
  const auto entry = library.Find<const OrtApiBase*()>("OrtGetApiBase", ErrorCode::kOnnxRuntimeIncompatible);
  const OrtApiBase* base = entry();
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) {
    throw Error(ErrorCode::kOnnxRuntimeIncompatible, library_path + " is ONNX Runtime " + base->GetVersionString() +
                                                         ", but zrank was built for version 1." +
                                                         std::to_string(ORT_API_VERSION) + " or later");
  }
  Ort::InitApi(api);
  return base;
}

}  // namespace

// What fails comes back as a status; the same on stderr would be in the host's way.
OrtRuntime::OrtRuntime(const OrtApiBase* base, std::string library_path)
    : env_(ORT_LOGGING_LEVEL_FATAL, "zrank"),
      version_(base->GetVersionString()),
      library_path_(std::move(library_path)) {}

OrtRuntime& OrtRuntime::Open(const std::string& library_path) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (runtime == nullptr) runtime = new OrtRuntime(Load(library_path), library_path);
  return *runtime;
}

const OrtRuntime* OrtRuntime::Opened() { return runtime; }

OrtRuntime& OrtRuntime::Get() {
  if (runtime == nullptr) throw Error(ErrorCode::kInternal, "ONNX Runtime was not opened");
  return *runtime;
}

}  // namespace zrank
