#pragma once

#include <string>

namespace bert_native {

// Opens a shared library for good; its own dependencies are looked for beside it. Throws kEngine with the system's
// reason.
void* open_shared_library(const std::string& path_utf8);

// Null where the library exports no such symbol.
void* find_symbol(void* library, const char* name);

}  // namespace bert_native
