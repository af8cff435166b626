#include "kernels/simd/table.h"

#include "kernels/avx512/int8.h"
#include "kernels/avx512/vector.h"
#include "kernels/simd/gemm_int8.h"
#include "kernels/tables.h"

namespace bert_native::avx512 {

namespace {

// vpmaddubsw adds two products in sixteen bits and saturates. Weights of at most 64 keep it from that:
// 2 · 255 · 64 < 2¹⁵.
struct Int8Dot : Int8Lanes {
  static constexpr int kWeightLimit = 64;
  static Lanes dot(Lanes sum, Lanes a, Lanes w) {
    const Lanes twos = _mm512_maddubs_epi16(a, w);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(twos, _mm512_set1_epi16(1)));
  }
};

}  // namespace

constexpr KernelTable kTable = make_table<Vector>(Isa::kAvx512, &Int8Gemm<Int8Dot>::kKernels);

}  // namespace bert_native::avx512
