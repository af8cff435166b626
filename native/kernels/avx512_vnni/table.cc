#include "kernels/avx512/int8.h"
#include "kernels/simd/gemm_int8.h"
#include "kernels/tables.h"

namespace bert_native::avx512_vnni {

namespace {

struct Int8Dot : avx512::Int8Lanes {
  static constexpr int kWeightLimit = 127;
  static Lanes dot(Lanes sum, Lanes a, Lanes w) { return _mm512_dpbusd_epi32(sum, a, w); }
};

}  // namespace

constexpr GemmKernels kInt8Gemm = Int8Gemm<Int8Dot>::kKernels;

}  // namespace bert_native::avx512_vnni
