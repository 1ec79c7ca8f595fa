#pragma once

#include <string>

namespace zrank {

// A path that means a folder and can be made to mean another: on Linux that of a descriptor, /proc/self/fd/N/. Without
// /proc it is the folder's own path, for good. Process lifetime: the descriptor is never closed.
class FolderHandle {
 public:
  // `folder` ends in a slash, and so does path().
  explicit FolderHandle(const std::string& folder);

  const std::string& path() const { return path_; }
  // A message with the folder's own name in place of path().
  std::string Named(std::string message) const;
  // Throws DEVICE_UNAVAILABLE where the folder cannot be opened, or the path means its folder for good.
  void Redirect(const std::string& folder) const;

 private:
  int descriptor_ = -1;
  bool is_movable_ = false;
  std::string path_;
};

}  // namespace zrank
