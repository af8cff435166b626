#include "binding/module_lifetime.h"

#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

namespace bert_native {

void keep_module_loaded() {
#if defined(_WIN32)
  HMODULE module;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                     reinterpret_cast<LPCWSTR>(&keep_module_loaded), &module);
#else
  static void* const handle = [] {
    Dl_info info;
    if (dladdr(reinterpret_cast<void*>(&keep_module_loaded), &info) == 0) return static_cast<void*>(nullptr);
    return dlopen(info.dli_fname, RTLD_NOW | RTLD_LOCAL);
  }();
  (void)handle;
#endif
}

}  // namespace bert_native
