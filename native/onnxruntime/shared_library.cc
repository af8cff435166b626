#include "onnxruntime/shared_library.h"

#include "common/errors.h"

#if defined(_WIN32)
#include <windows.h>

#include <filesystem>
#else
#include <dlfcn.h>
#endif

namespace bert_native {

namespace {

[[noreturn]] void throw_closed(const std::string& path, const std::string& reason) {
  throw Error(ErrorCode::kEngine, "ONNX Runtime's library " + path + " does not open: " + reason +
                                      ". Install onnxruntime-node for this platform (npm install onnxruntime-node), or "
                                      "name the library of an ONNX Runtime that runs here");
}

}  // namespace

#if defined(_WIN32)

void* open_shared_library(const std::string& path_utf8) {
  const std::filesystem::path path(std::u8string(path_utf8.begin(), path_utf8.end()));
  const HMODULE library = LoadLibraryExW(path.c_str(), nullptr, path.is_absolute() ? LOAD_WITH_ALTERED_SEARCH_PATH : 0);
  if (library == nullptr) throw_closed(path_utf8, "Windows gives error " + std::to_string(GetLastError()));
  return library;
}

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(library), name));
}

#else

void* open_shared_library(const std::string& path_utf8) {
  void* const library = dlopen(path_utf8.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const reason = dlerror();
    throw_closed(path_utf8, reason != nullptr ? reason : "no reason given");
  }
  return library;
}

void* find_symbol(void* library, const char* name) { return dlsym(library, name); }

#endif

}  // namespace bert_native
