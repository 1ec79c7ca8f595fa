#include "core/ort_runtime.h"

#include <atomic>
#include <cstdlib>
#include <mutex>

#include "core/error.h"
#include "core/shared_library.h"

namespace zrank {

namespace {

std::atomic<OrtRuntime*> runtime{nullptr};

#ifdef _WIN32
constexpr const char* kSeparators = "/\\";
#else
constexpr const char* kSeparators = "/";
#endif

// Unless it is set.
void SetVariable(const char* name, const char* value) {
#ifdef _WIN32
  if (std::getenv(name) == nullptr) _putenv_s(name, value);
#else
  setenv(name, value, 0);
#endif
}

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

OrtRuntime::OrtRuntime(const OrtApiBase* base, OrtLoggingLevel level, std::string library_path,
                       FolderHandle provider_folder)
    : env_(level, "zrank"),
      version_(base->GetVersionString()),
      library_path_(std::move(library_path)),
      provider_folder_(std::move(provider_folder)) {}

OrtRuntime& OrtRuntime::Open(const std::string& library_path, OrtLoggingLevel level) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (runtime == nullptr) {
    // From 1.30 on it would send usage to its maker and keep an identifier in the user's cache.
    SetVariable("ORT_DISABLE_TELEMETRY", "1");
    // ONNX Runtime looks for providers in the folder that its own path names: one that can be made to mean another.
    const size_t slash = library_path.find_last_of(kSeparators) + 1;
    const FolderHandle folder(library_path.substr(0, slash));
    runtime = new OrtRuntime(Load(folder.path() + library_path.substr(slash)), level, library_path, folder);
  }
  return *runtime;
}

void OrtRuntime::SetProviderFolder(const std::string& folder) { provider_folder_.Redirect(folder); }

const OrtRuntime* OrtRuntime::Opened() { return runtime; }

OrtRuntime& OrtRuntime::Get() {
  if (runtime == nullptr) throw Error(ErrorCode::kInternal, "ONNX Runtime was not opened");
  return *runtime;
}

}  // namespace zrank
