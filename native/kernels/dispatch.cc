#include "kernels/kernel_table.h"
#include "kernels/tables.h"

namespace bert_native {

const KernelTable* kernel_table(Isa isa) { return isa == Isa::kScalar ? &scalar::kTable : nullptr; }

const KernelTable& selected_kernels() {
  const KernelTable* table = kernel_table(selected_isa());
  return table != nullptr ? *table : scalar::kTable;
}

}  // namespace bert_native
