#include "common/compiler.h"
#include "kernels/kernel_table.h"
#include "kernels/tables.h"

namespace bert_native {

const KernelTable* kernel_table(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return &scalar::kTable;
#if BN_X86_64
    case Isa::kAvx2:
      return &avx2::kTable;
    case Isa::kAvx512:
      return &avx512::kTable;
#elif BN_ARM64
    case Isa::kNeon:
      return &neon::kTable;
#endif
    default:
      return nullptr;
  }
}

const KernelTable& selected_kernels() { return *kernel_table(selected_isa()); }

}  // namespace bert_native
