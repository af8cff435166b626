#include "kernels/simd/table.h"

#include "kernels/avx2/int8.h"
#include "kernels/avx2/vector.h"
#include "kernels/simd/gemm_int8.h"
#include "kernels/tables.h"

namespace bert_native::avx2 {

constexpr KernelTable kTable = make_table<Vector>(Isa::kAvx2, &Int8Gemm<Int8Dot>::kKernels);

}  // namespace bert_native::avx2
