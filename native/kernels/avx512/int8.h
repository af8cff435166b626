#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/vector.h"

namespace bert_native::avx512 {
namespace {

// What the two forms of Int8Dot share: sixteen integers of 32 bits.
struct Int8Lanes {
  using Vector = avx512::Vector;
  using Lanes = __m512i;
  using Column = const uint8_t*;
  static constexpr size_t kGemmRows = Vector::kGemmRows;
  static constexpr int32_t kSurplus = 0;

  static Lanes zero() { return _mm512_setzero_si512(); }
  static Lanes add(Lanes a, Lanes b) { return _mm512_add_epi32(a, b); }
  static Lanes load(const void* x) { return _mm512_loadu_si512(x); }
  static Lanes multiply(Lanes a, Lanes b) { return _mm512_mullo_epi32(a, b); }
  static Lanes broadcast(int32_t x) { return _mm512_set1_epi32(x); }
  static Column load_column(const uint8_t* a) { return a; }
  template <size_t kRow>
  static Lanes row(Column a) {
    return broadcast(load_int32(a + 4 * kRow));
  }
  static Vector to_f32(Lanes x) { return {_mm512_cvtepi32_ps(x)}; }

 private:
  static int load_int32(const void* x) { return _mm_cvtsi128_si32(_mm_loadu_si32(x)); }
};

// vpmaddubsw adds two products in sixteen bits and saturates: neighbouring weights are bounded.
struct Int8Dot : Int8Lanes {
  static constexpr bool kBoundedPairs = true;
  static Lanes dot(Lanes sum, Lanes a, Lanes w) {
    const Lanes twos = _mm512_maddubs_epi16(a, w);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(twos, _mm512_set1_epi16(1)));
  }
};

}  // namespace
}  // namespace bert_native::avx512
