#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "common/compiler.h"
#include "kernels/x86/transpose.h"

namespace bert_native::avx2 {
namespace {

// Eight f32 lanes in a ymm register. The vocabulary that kernels/simd/ is written in.
struct Vector {
  static constexpr size_t kLanes = 8;
  // Of the 16 registers, 12 hold the tile of C, 2 a row of the panel, 1 an element of the strip.
  static constexpr size_t kGemmRows = 6;

  __m256 lanes;

  static Vector broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static Vector load(const float* x) { return {_mm256_loadu_ps(x)}; }
  void store(float* out) const { _mm256_storeu_ps(out, lanes); }

  // The first `count` lanes in memory; `fill` in the others. No other memory is touched.
  static Vector load_first(const float* x, size_t count, Vector fill) {
    const __m256i mask = first(count);
    return {_mm256_blendv_ps(fill.lanes, _mm256_maskload_ps(x, mask), _mm256_castsi256_ps(mask))};
  }
  void store_first(float* out, size_t count) const { _mm256_maskstore_ps(out, first(count), lanes); }
  Vector keep_first(size_t count) const { return {_mm256_and_ps(lanes, _mm256_castsi256_ps(first(count)))}; }

  friend Vector operator+(Vector a, Vector b) { return {_mm256_add_ps(a.lanes, b.lanes)}; }
  friend Vector operator-(Vector a, Vector b) { return {_mm256_sub_ps(a.lanes, b.lanes)}; }
  friend Vector operator*(Vector a, Vector b) { return {_mm256_mul_ps(a.lanes, b.lanes)}; }
  friend Vector operator/(Vector a, Vector b) { return {_mm256_div_ps(a.lanes, b.lanes)}; }
  friend Vector operator-(Vector a) { return {_mm256_xor_ps(a.lanes, sign_bits())}; }

  // a·b + c and c - a·b, rounded once
  friend Vector fma(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.lanes, b.lanes, c.lanes)}; }
  friend Vector fnma(Vector a, Vector b, Vector c) { return {_mm256_fnmadd_ps(a.lanes, b.lanes, c.lanes)}; }

  // x where x is NaN
  friend Vector min(Vector bound, Vector x) { return {_mm256_min_ps(bound.lanes, x.lanes)}; }
  friend Vector max(Vector bound, Vector x) { return {_mm256_max_ps(bound.lanes, x.lanes)}; }
  // NaN where either is NaN
  friend Vector max_or_nan(Vector a, Vector b) {
    const __m256 a_is_nan = _mm256_cmp_ps(a.lanes, a.lanes, _CMP_UNORD_Q);
    return {_mm256_blendv_ps(_mm256_max_ps(a.lanes, b.lanes), a.lanes, a_is_nan)};
  }

  // Lanes 2i and 2i + 1 in each other's place
  friend Vector swap_neighbours(Vector x) { return {_mm256_permute_ps(x.lanes, _MM_SHUFFLE(2, 3, 0, 1))}; }
  friend Vector reverse(Vector x) {
    return {_mm256_permutevar8x32_ps(x.lanes, _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0))};
  }

  friend Vector sqrt(Vector x) { return {_mm256_sqrt_ps(x.lanes)}; }
  friend Vector abs(Vector x) { return {_mm256_andnot_ps(sign_bits(), x.lanes)}; }
  // `magnitude` ≥ 0 with the sign of x
  friend Vector copy_sign(Vector magnitude, Vector x) {
    return {_mm256_or_ps(magnitude.lanes, _mm256_and_ps(x.lanes, sign_bits()))};
  }
  friend Vector round_to_integer(Vector x) {
    return {_mm256_round_ps(x.lanes, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  // x·2^exponent for x in [½, 2] and integers of [-160, 60], rounded once where the result is subnormal. 2^exponent
  // itself need not be an f32: it is applied as 2^(exponent + 64), then 2^-64.
  friend Vector scale_by_power_of_two(Vector x, Vector exponent) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(exponent.lanes), _mm256_set1_epi32(127 + 64));
    const __m256 power = _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
    return {_mm256_mul_ps(_mm256_mul_ps(x.lanes, power), _mm256_set1_ps(0x1p-64f))};
  }

  friend float reduce_sum(Vector x) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x.lanes), _mm256_extractf128_ps(x.lanes, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  friend float reduce_max(Vector x) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x.lanes), _mm256_extractf128_ps(x.lanes, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }

  static Vector from_f16(const uint16_t* x) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)))};
  }
  static Vector from_bf16(const uint16_t* x) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
    return {_mm256_castsi256_ps(_mm256_slli_epi32(wide, 16))};
  }
  static Vector from_f64(const double* x) {
    return {_mm256_set_m128(narrow(_mm256_loadu_pd(x + 4)), narrow(_mm256_loadu_pd(x)))};
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
  static __m256 sign_bits() { return _mm256_set1_ps(-0.0f); }

  // All ones in the first `count` lanes.
  static __m256i first(size_t count) {
    const __m256i indices = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), indices);
  }

  // Where the result is subnormal, it is made by integer arithmetic, which no flush-to-zero mode touches: the spacing
  // of doubles from 2⁻⁹⁷ on is 2⁻¹⁴⁹, that of subnormal f32, so the last bits of |x| + 2⁻⁹⁷ count those steps.
  static __m128 narrow(__m256d x) {
    const __m256d magnitude = _mm256_andnot_pd(_mm256_set1_pd(-0.0), x);
    const __m256d tiny = _mm256_cmp_pd(magnitude, _mm256_set1_pd(0x1p-126), _CMP_LT_OQ);
    const __m256d steps_from = _mm256_set1_pd(0x1p-97);
    const __m256i steps =
        _mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(magnitude, steps_from)), _mm256_castpd_si256(steps_from));
    const __m128 sign = _mm_and_ps(high_halves(x), _mm_set1_ps(-0.0f));
    const __m128 subnormal = _mm_or_ps(sign, low_halves(_mm256_castsi256_pd(steps)));
    return _mm_blendv_ps(_mm256_cvtpd_ps(x), subnormal, low_halves(tiny));
  }
  static __m128 low_halves(__m256d x) {
    const __m256 halves = _mm256_castpd_ps(x);
    return _mm_shuffle_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1), _MM_SHUFFLE(2, 0, 2, 0));
  }
  static __m128 high_halves(__m256d x) {
    const __m256 halves = _mm256_castpd_ps(x);
    return _mm_shuffle_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1), _MM_SHUFFLE(3, 1, 3, 1));
  }
};

}  // namespace
}  // namespace bert_native::avx2
