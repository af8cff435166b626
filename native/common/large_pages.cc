#include "common/large_pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace bert_native {

void use_large_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t size_bytes) {
#if defined(__linux__)
  madvise(memory, size_bytes / kLargePageBytes * kLargePageBytes, MADV_HUGEPAGE);
#endif
}

}  // namespace bert_native
