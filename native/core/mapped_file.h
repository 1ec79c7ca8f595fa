#pragma once

#include <cstddef>
#include <string>

namespace zrank {

// A file mapped read-only; its pages are the page cache's, shared by every process that maps it.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  ~MappedFile();

  char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace zrank
