#include "common/memory.h"

#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#if !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif
#endif

namespace bert_native {

void make_resident([[maybe_unused]] void* memory, [[maybe_unused]] size_t size_bytes) {
#if defined(__linux__)
  static const auto page_size = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<uintptr_t>(memory) / page_size * page_size;
  const uintptr_t end = reinterpret_cast<uintptr_t>(memory) + size_bytes;
  madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);
#endif
}

}  // namespace bert_native
