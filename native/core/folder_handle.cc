#include "core/folder_handle.h"

#if defined(__linux__)
#include <fcntl.h>
#include <unistd.h>
#endif

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.h"

namespace zrank {

#if defined(__linux__)

namespace {

constexpr int kFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;

}  // namespace

FolderHandle::FolderHandle(const std::string& folder) : descriptor_(open(folder.c_str(), kFlags)), path_(folder) {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor_) + "/";
  is_movable_ = access(path.c_str(), F_OK) == 0;
  if (is_movable_) path_ = path;
}

std::string FolderHandle::Named(std::string message) const {
  const size_t at = message.find(path_);
  if (!is_movable_ || at == std::string::npos) return message;
  std::error_code error;
  const auto folder = std::filesystem::read_symlink(path_.substr(0, path_.size() - 1), error);
  return error ? message : message.replace(at, path_.size(), folder.string() + "/");
}

void FolderHandle::Redirect(const std::string& folder) const {
  const auto fail = [&](const char* why) { throw Error(ErrorCode::kDeviceUnavailable, folder + ": " + why); };
  if (!is_movable_) fail("without /proc, the providers must lie beside libonnxruntime");
  const int other = open(folder.c_str(), kFlags);
  if (other < 0 || dup3(other, descriptor_, O_CLOEXEC) < 0) fail(std::strerror(errno));
  close(other);
}

#else

FolderHandle::FolderHandle(const std::string& folder) : path_(folder) {}

std::string FolderHandle::Named(std::string message) const { return message; }

void FolderHandle::Redirect(const std::string& folder) const {
  throw Error(ErrorCode::kDeviceUnavailable, folder + ": on this system the providers must lie beside libonnxruntime");
}

#endif

}  // namespace zrank
