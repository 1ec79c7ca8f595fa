#pragma once

#include <optional>
#include <string>

namespace zrank {

// The path of the library that this process has open under a name ("libcudart.so.13") or path, if it has.
std::optional<std::string> LoadedLibrary(const std::string& name);

// Opens a library, by path or by a name that the loader looks for, so that those opened after it find it under its
// soname and need not know where it lies. Returns the path that the loader took; throws DEVICE_UNAVAILABLE with the
// loader's own words. The library stays open.
std::string OpenLibrary(const std::string& name);

}  // namespace zrank
