#include "core/shared_library.h"

#include <dlfcn.h>
#if defined(__linux__)
#include <link.h>
#endif

namespace zrank {

namespace {

std::string PathOf(void* library, const std::string& name) {
#if defined(__linux__)
  const link_map* map = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map->l_name[0] != '\0') return map->l_name;
#endif
  (void)library;
  return name;
}

}  // namespace

SharedLibrary::SharedLibrary(const std::string& name, Symbols symbols, ErrorCode code)
    : name_(name),
      code_(code),
      handle_(dlopen(name.c_str(), RTLD_NOW | (symbols == Symbols::kGlobal ? RTLD_GLOBAL : RTLD_LOCAL))) {
  if (handle_ == nullptr) throw Error(code, dlerror());
}

std::optional<std::string> SharedLibrary::PathOfLoaded(const std::string& name) {
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return std::nullopt;
  const std::string path = PathOf(library, name);
  dlclose(library);
  return path;
}

std::string SharedLibrary::path() const { return PathOf(handle_, name_); }

void* SharedLibrary::Address(const char* symbol, ErrorCode code) const {
  void* address = dlsym(handle_, symbol);
  if (address == nullptr) throw Error(code, name_ + " has no " + symbol);
  return address;
}

}  // namespace zrank
