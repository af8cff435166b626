#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "common/compiler.h"
#include "kernels/x86/transpose.h"

namespace bert_native::avx512 {
namespace {

// Sixteen f32 lanes in a zmm register. The vocabulary that kernels/simd/ is written in.
struct Vector {
  static constexpr size_t kLanes = 16;
  // Of the 32 registers, 24 hold the tile of C, 2 a row of the panel; the elements of the strip need 1.
  static constexpr size_t kGemmRows = 12;

  __m512 lanes;

  static Vector broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static Vector load(const float* x) { return {_mm512_loadu_ps(x)}; }
  void store(float* out) const { _mm512_storeu_ps(out, lanes); }

  // The first `count` lanes in memory; `fill` in the others. No other memory is touched.
  static Vector load_first(const float* x, size_t count, Vector fill) {
    return {_mm512_mask_loadu_ps(fill.lanes, first(count), x)};
  }
  void store_first(float* out, size_t count) const { _mm512_mask_storeu_ps(out, first(count), lanes); }
  Vector keep_first(size_t count) const { return {_mm512_maskz_mov_ps(first(count), lanes)}; }

  friend Vector operator+(Vector a, Vector b) { return {_mm512_add_ps(a.lanes, b.lanes)}; }
  friend Vector operator-(Vector a, Vector b) { return {_mm512_sub_ps(a.lanes, b.lanes)}; }
  friend Vector operator*(Vector a, Vector b) { return {_mm512_mul_ps(a.lanes, b.lanes)}; }
  friend Vector operator/(Vector a, Vector b) { return {_mm512_div_ps(a.lanes, b.lanes)}; }
  friend Vector operator-(Vector a) { return {_mm512_xor_ps(a.lanes, sign_bits())}; }

  // a·b + c and c - a·b, rounded once
  friend Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.lanes, b.lanes, c.lanes)}; }
  friend Vector fnma(Vector a, Vector b, Vector c) { return {_mm512_fnmadd_ps(a.lanes, b.lanes, c.lanes)}; }

  // x where x is NaN
  friend Vector min(Vector bound, Vector x) { return {_mm512_min_ps(bound.lanes, x.lanes)}; }
  friend Vector max(Vector bound, Vector x) { return {_mm512_max_ps(bound.lanes, x.lanes)}; }
  // NaN where either is NaN
  friend Vector max_or_nan(Vector a, Vector b) {
    const __mmask16 a_is_nan = _mm512_cmp_ps_mask(a.lanes, a.lanes, _CMP_UNORD_Q);
    return {_mm512_mask_mov_ps(_mm512_max_ps(a.lanes, b.lanes), a_is_nan, a.lanes)};
  }

  // Lanes 2i and 2i + 1 in each other's place
  friend Vector swap_neighbours(Vector x) { return {_mm512_permute_ps(x.lanes, _MM_SHUFFLE(2, 3, 0, 1))}; }
  friend Vector reverse(Vector x) {
    return {_mm512_permutexvar_ps(_mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), x.lanes)};
  }

  friend Vector sqrt(Vector x) { return {_mm512_sqrt_ps(x.lanes)}; }
  friend Vector abs(Vector x) { return {_mm512_andnot_ps(sign_bits(), x.lanes)}; }
  // `magnitude` ≥ 0 with the sign of x
  friend Vector copy_sign(Vector magnitude, Vector x) {
    return {_mm512_or_ps(magnitude.lanes, _mm512_and_ps(x.lanes, sign_bits()))};
  }
  friend Vector round_to_integer(Vector x) {
    return {_mm512_roundscale_ps(x.lanes, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  // x·2^exponent for integers, rounded once where the result is subnormal
  friend Vector scale_by_power_of_two(Vector x, Vector exponent) { return {_mm512_scalef_ps(x.lanes, exponent.lanes)}; }

  friend float reduce_sum(Vector x) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x.lanes), _mm512_extractf32x8_ps(x.lanes, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  friend float reduce_max(Vector x) {
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x.lanes), _mm512_extractf32x8_ps(x.lanes, 1));
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }

  static Vector from_f16(const uint16_t* x) {
    return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)))};
  }
  static Vector from_bf16(const uint16_t* x) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
  }
  static Vector from_f64(const double* x) {
    const __m512 low = _mm512_castps256_ps512(narrow(_mm512_loadu_pd(x)));
    return {_mm512_insertf32x8(low, narrow(_mm512_loadu_pd(x + 8)), 1)};
  }

  // A column of a strip of A is read one element at a time: the load broadcasts it.
  using Column = const float*;
  static Column load_column(const float* strip) { return strip; }
  // column[kRow]·x + sum, rounded once
  template <size_t kRow>
  static Vector fma_row(Column column, Vector x, Vector sum) {
    return fma(broadcast(column[kRow]), x, sum);
  }

  static BN_ALWAYS_INLINE void transpose_4x4(float* out, size_t out_stride, const float* in, size_t in_stride) {
    x86::transpose_4x4(out, out_stride, in, in_stride);
  }

 private:
  static __m512 sign_bits() { return _mm512_set1_ps(-0.0f); }

  static __mmask16 first(size_t count) { return static_cast<__mmask16>((1u << count) - 1); }

  // Where the result is subnormal, it is made by integer arithmetic, which no flush-to-zero mode touches: the spacing
  // of doubles from 2⁻⁹⁷ on is 2⁻¹⁴⁹, that of subnormal f32, so the last bits of |x| + 2⁻⁹⁷ count those steps.
  static __m256 narrow(__m512d x) {
    const __m512d magnitude = _mm512_abs_pd(x);
    const __mmask8 tiny = _mm512_cmp_pd_mask(magnitude, _mm512_set1_pd(0x1p-126), _CMP_LT_OQ);
    const __m512d steps_from = _mm512_set1_pd(0x1p-97);
    const __m512i steps =
        _mm512_sub_epi64(_mm512_castpd_si512(_mm512_add_pd(magnitude, steps_from)), _mm512_castpd_si512(steps_from));
    const __m512i high_halves = _mm512_srli_epi64(_mm512_castpd_si512(x), 32);
    const __m256i sign = _mm256_and_si256(_mm512_cvtepi64_epi32(high_halves), _mm256_set1_epi32(INT32_MIN));
    const __m256i subnormal = _mm256_or_si256(sign, _mm512_cvtepi64_epi32(steps));
    return _mm256_mask_mov_ps(_mm512_cvtpd_ps(x), tiny, _mm256_castsi256_ps(subnormal));
  }
};

}  // namespace
}  // namespace bert_native::avx512
