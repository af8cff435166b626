#pragma once

#include <immintrin.h>

#include "common/compiler.h"
#include "kernels/avx512/vector.h"
#include "kernels/half.h"

namespace bert_native::avx512_bf16 {
namespace {

struct Bf16Dot {
  using Vector = avx512::Vector;
  using Pairs = __m512i;
  using Column = const Bf16*;
  static constexpr size_t kGemmRows = Vector::kGemmRows;

  static Pairs load(const Bf16* x) { return _mm512_loadu_si512(x); }
  static Column load_column(const Bf16* a) { return a; }
  template <size_t kRow>
  static Pairs row(Column a) {
    return _mm512_set1_epi32(_mm_cvtsi128_si32(_mm_loadu_si32(a + 2 * kRow)));
  }
  static Vector dot(Vector sum, Pairs a, Pairs w) {
    return {_mm512_dpbf16_ps(sum.lanes, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(w))};
  }

  static void round(void* out, const float* x, size_t n) {
    char* to = static_cast<char*>(out);
    for (size_t i = 0; i < n; i += Vector::kLanes) {
      const size_t left = n - i;
      const __mmask16 some = left >= 16 ? __mmask16(0xffff) : static_cast<__mmask16>((1u << left) - 1);
      const __m256i rounded = reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(some, x + i)));
      const __mmask16 whole_pairs = static_cast<__mmask16>(some | (some << 1));
      _mm256_mask_storeu_epi16(to + 2 * i, left % 2 == 1 ? whole_pairs : some, rounded);
    }
  }
};

}  // namespace
}  // namespace bert_native::avx512_bf16
