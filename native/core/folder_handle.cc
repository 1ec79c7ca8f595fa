#include "core/folder_handle.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

void FolderHandle::Redirect(const std::string& folder) const {
  const auto fail = [&](const char* why) { throw Error(ErrorCode::kDeviceUnavailable, folder + ": " + why); };
  if (!is_movable_) fail("without /proc, the providers must lie beside libonnxruntime");
  const int other = open(folder.c_str(), kFlags);
  if (other < 0 || dup3(other, descriptor_, O_CLOEXEC) < 0) fail(std::strerror(errno));
  close(other);
}

#else

FolderHandle::FolderHandle(const std::string& folder) : path_(folder) {}

void FolderHandle::Redirect(const std::string& folder) const {
  throw Error(ErrorCode::kDeviceUnavailable, folder + ": on this system the providers must lie beside libonnxruntime");
}

#endif

}  // namespace zrank
