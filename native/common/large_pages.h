#pragma once

#include <cstddef>

namespace bert_native {

inline constexpr size_t kLargePageBytes = size_t{2} << 20;

// Asks the system to keep memory that begins at a multiple of kLargePageBytes and has not been touched in pages of that
// size. The end that does not fill one stays in small pages, so that nothing is resident beyond it. A system that has no
// large pages to give, or none at all, keeps small ones.
void use_large_pages(void* memory, size_t size_bytes);

}  // namespace bert_native
