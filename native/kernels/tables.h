#pragma once

#include "kernels/kernel_table.h"

// The tables that dispatch.cc chooses from. A build holds those of its own architecture.

namespace bert_native::scalar {
extern const KernelTable kTable;
}

namespace bert_native::avx2 {
extern const KernelTable kTable;
}

namespace bert_native::avx512 {
extern const KernelTable kTable;
}

namespace bert_native::neon {
extern const KernelTable kTable;
}
