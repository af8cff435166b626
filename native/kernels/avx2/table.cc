#include "kernels/simd/table.h"

#include "kernels/avx2/vector.h"
#include "kernels/tables.h"

namespace bert_native::avx2 {

constexpr KernelTable kTable = make_table<Vector>(Isa::kAvx2);

}  // namespace bert_native::avx2
