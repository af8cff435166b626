#include "kernels/simd/table.h"

#include "kernels/neon/vector.h"
#include "kernels/scalar/kernels.h"
#include "kernels/tables.h"

namespace bert_native::neon {

constexpr KernelTable kTable = make_table<Vector>(Isa::kNeon, &scalar::kInt8Gemm);

}  // namespace bert_native::neon
