#pragma once

#include <onnxruntime_cxx_api.h>

#include <string>

#include "core/folder_handle.h"

namespace zrank {

// ONNX Runtime in this process: the library, opened at run time, and one Ort::Env. Process lifetime: neither is ever
// released, because ONNX Runtime's threads and allocators may still be in use while the process exits.
class OrtRuntime {
 public:
  // Opens the library on the first call; later calls return the same runtime, whatever the path. What fails comes back
  // as a status; the same on stderr would be in the host's way.
  static OrtRuntime& Open(const std::string& library_path, OrtLoggingLevel level = ORT_LOGGING_LEVEL_FATAL);
  // The runtime that Open made.
  static OrtRuntime& Get();
  // The same, or null before Open.
  static const OrtRuntime* Opened();

  // The folder in which ONNX Runtime looks from now on for its providers' libraries; before that, its library's own.
  // Throws DEVICE_UNAVAILABLE where the folder or the way to change it is not there.
  void SetProviderFolder(const std::string& folder);
  const FolderHandle& provider_folder() const { return provider_folder_; }

  Ort::Env& env() { return env_; }
  const std::string& version() const { return version_; }
  const std::string& library_path() const { return library_path_; }

 private:
  OrtRuntime(const OrtApiBase* base, OrtLoggingLevel level, std::string library_path, FolderHandle provider_folder);

  Ort::Env env_;
  std::string version_;
  std::string library_path_;
  const FolderHandle provider_folder_;
};

}  // namespace zrank
