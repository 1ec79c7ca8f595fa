// Never run: compiled for the package of Windows alone.

#include <windows.h>

#include <filesystem>

#include "core/shared_library.h"

namespace zrank {

namespace {

std::wstring Wide(const std::string& utf8) { return std::filesystem::path(std::u8string(utf8.begin(), utf8.end())); }

std::string Utf8(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return {text.begin(), text.end()};
}

// The system's words for the last error.
std::string LastError(const std::string& name) {
  wchar_t* text = nullptr;
  const DWORD code = GetLastError();
  FormatMessageW(FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr,
                 code, 0, reinterpret_cast<wchar_t*>(&text), 0, nullptr);
  const std::string message = name + ": " + (text == nullptr ? "error " + std::to_string(code) : Utf8(text));
  LocalFree(text);
  return message;
}

std::string PathOf(void* library) {
  std::wstring path(32768, L'\0');
  path.resize(GetModuleFileNameW(static_cast<HMODULE>(library), path.data(), static_cast<DWORD>(path.size())));
  return Utf8(path);
}

}  // namespace

// Symbols have no scope there: what is opened is found by its name.
SharedLibrary::SharedLibrary(const std::string& name, Symbols, ErrorCode code)
    : name_(name),
      code_(code),
      handle_(LoadLibraryExW(Wide(name).c_str(), nullptr,
                             std::filesystem::path(Wide(name)).is_absolute() ? LOAD_WITH_ALTERED_SEARCH_PATH : 0)) {
  if (handle_ == nullptr) throw Error(code, LastError(name));
}

std::optional<std::string> SharedLibrary::PathOfLoaded(const std::string& name) {
  const HMODULE library = GetModuleHandleW(Wide(name).c_str());
  if (library == nullptr) return std::nullopt;
  return PathOf(library);
}

std::string SharedLibrary::path() const { return PathOf(handle_); }

void* SharedLibrary::Address(const char* symbol, ErrorCode code) const {
  const FARPROC address = GetProcAddress(static_cast<HMODULE>(handle_), symbol);
  if (address == nullptr) throw Error(code, name_ + " has no " + symbol);
  return reinterpret_cast<void*>(address);
}

}  // namespace zrank
