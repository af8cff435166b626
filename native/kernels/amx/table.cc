#include "kernels/amx/gemm_bf16.h"
#include "kernels/amx/gemm_int8.h"
#include "kernels/amx/unit.h"
#include "kernels/tables.h"

namespace bert_native::amx {

constexpr GemmKernels kBf16Gemm = amx_gemm<TileUnit, AmxBf16Gemm<TileUnit, 1>>();
constexpr GemmKernels kBf16x2Gemm = amx_gemm<TileUnit, AmxBf16Gemm<TileUnit, 2>>();
constexpr GemmKernels kBf16x3Gemm = amx_gemm<TileUnit, AmxBf16Gemm<TileUnit, 3>>();
constexpr GemmKernels kInt8Gemm = amx_gemm<TileUnit, AmxInt8Gemm<TileUnit>>();

}  // namespace bert_native::amx
