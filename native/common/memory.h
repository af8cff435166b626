#pragma once

#include <cstddef>

namespace bert_native {

// Has the system give pages to memory that is about to be written, all at once: one fault for each would take about
// twice as long. Where the system cannot do that, they come one by one.
//
// Not large pages (MADV_HUGEPAGE): they are faster still where a machine has them at hand, and many times slower on
// virtual machines that hand free memory back to their host (free page reporting), which gives it out again in small
// pages.
void make_resident(void* memory, size_t size_bytes);

}  // namespace bert_native
