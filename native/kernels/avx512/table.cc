#include "kernels/simd/table.h"

#include "kernels/avx512/int8.h"
#include "kernels/avx512/vector.h"
#include "kernels/simd/gemm_int8.h"
#include "kernels/tables.h"

namespace bert_native::avx512 {

constexpr KernelTable kTable = make_table<Vector>(Isa::kAvx512, &Int8Gemm<Int8Dot>::kKernels);

}  // namespace bert_native::avx512
