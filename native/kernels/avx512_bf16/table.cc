#include "kernels/avx512_bf16/bf16.h"
#include "kernels/simd/gemm_bf16.h"
#include "kernels/tables.h"

namespace bert_native::avx512_bf16 {

constexpr GemmKernels kBf16Gemm = Bf16Gemm<Bf16Dot>::kKernels;

}  // namespace bert_native::avx512_bf16
