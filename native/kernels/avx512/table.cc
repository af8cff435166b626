#include "kernels/simd/table.h"

#include "kernels/avx512/vector.h"
#include "kernels/tables.h"

namespace bert_native::avx512 {

constexpr KernelTable kTable = make_table<Vector>(Isa::kAvx512);

}  // namespace bert_native::avx512
