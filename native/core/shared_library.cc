#include "core/shared_library.h"

#include <dlfcn.h>
#if defined(__linux__)
#include <link.h>
#endif

#include "core/error.h"

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

std::optional<std::string> LoadedLibrary(const std::string& name) {
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return std::nullopt;
  const std::string path = PathOf(library, name);
  dlclose(library);
  return path;
}

std::string OpenLibrary(const std::string& name) {
  void* library = dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) throw Error(ErrorCode::kDeviceUnavailable, dlerror());
  return PathOf(library, name);
}

}  // namespace zrank
