#include "kernels/avx_vnni/int8.h"
#include "kernels/simd/gemm_int8.h"
#include "kernels/tables.h"

namespace bert_native::avx_vnni {

constexpr GemmKernels kInt8Gemm = Int8Gemm<Int8Dot>::kKernels;

}  // namespace bert_native::avx_vnni
