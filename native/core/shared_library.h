#pragma once

#include <optional>
#include <string>

#include "core/error.h"

namespace zrank {

// A library that this process opened; it stays open. The only user of dlopen.
class SharedLibrary {
 public:
  enum class Symbols {
    kLocal,
    kGlobal,  // libraries opened after it find it under its soname and need not know where it lies
  };

  // By path, or by a name that the loader looks for. Throws `code` with the loader's own words.
  SharedLibrary(const std::string& name, Symbols symbols, ErrorCode code);

  // The path of the library that this process has open under a name ("libcudart.so.13") or path, if it has.
  static std::optional<std::string> PathOfLoaded(const std::string& name);

  // The path that the loader took.
  std::string path() const;

  // Throws `code` where the library has no such symbol.
  template <typename Function>
  Function* Find(const char* symbol, ErrorCode code) const {
    return reinterpret_cast<Function*>(Address(symbol, code));
  }
  // The same into a variable of its type; throws the constructor's code.
  template <typename Function>
  void Find(const char* symbol, Function*& function) const {
    function = Find<Function>(symbol, code_);
  }

 private:
  void* Address(const char* symbol, ErrorCode code) const;

  const std::string name_;
  const ErrorCode code_;
  void* handle_;
};

}  // namespace zrank
