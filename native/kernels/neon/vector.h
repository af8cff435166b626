#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "common/compiler.h"

namespace bert_native::neon {
namespace {

// Four f32 lanes in a v register. The vocabulary that kernels/simd/ is written in.
struct Vector {
  static constexpr size_t kLanes = 4;
  // Of the 32 registers, 24 hold the tile of C, 2 a row of the panel, 3 a column of the strip.
  static constexpr size_t kGemmRows = 12;

  float32x4_t lanes;

  static Vector broadcast(float x) { return {vdupq_n_f32(x)}; }
  static Vector load(const float* x) { return {vld1q_f32(x)}; }
  void store(float* out) const { vst1q_f32(out, lanes); }

  // The first `count` lanes in memory; `fill` in the others. No other memory is touched.
  static Vector load_first(const float* x, size_t count, Vector fill) {
    float values[kLanes];
    fill.store(values);
    for (size_t i = 0; i < count; ++i) values[i] = x[i];
    return load(values);
  }
  void store_first(float* out, size_t count) const {
    float values[kLanes];
    store(values);
    for (size_t i = 0; i < count; ++i) out[i] = values[i];
  }
  Vector keep_first(size_t count) const {
    static constexpr uint32_t kIndices[kLanes] = {0, 1, 2, 3};
    const uint32x4_t mask = vcltq_u32(vld1q_u32(kIndices), vdupq_n_u32(static_cast<uint32_t>(count)));
    return {vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(lanes), mask))};
  }

  friend Vector operator+(Vector a, Vector b) { return {vaddq_f32(a.lanes, b.lanes)}; }
  friend Vector operator-(Vector a, Vector b) { return {vsubq_f32(a.lanes, b.lanes)}; }
  friend Vector operator*(Vector a, Vector b) { return {vmulq_f32(a.lanes, b.lanes)}; }
  friend Vector operator/(Vector a, Vector b) { return {vdivq_f32(a.lanes, b.lanes)}; }
  friend Vector operator-(Vector a) { return {vnegq_f32(a.lanes)}; }

  // a·b + c and c - a·b, rounded once
  friend Vector fma(Vector a, Vector b, Vector c) { return {vfmaq_f32(c.lanes, a.lanes, b.lanes)}; }
  friend Vector fnma(Vector a, Vector b, Vector c) { return {vfmsq_f32(c.lanes, a.lanes, b.lanes)}; }

  // x where x is NaN
  friend Vector min(Vector bound, Vector x) {
    return {vbslq_f32(vcltq_f32(bound.lanes, x.lanes), bound.lanes, x.lanes)};
  }
  friend Vector max(Vector bound, Vector x) {
    return {vbslq_f32(vcgtq_f32(bound.lanes, x.lanes), bound.lanes, x.lanes)};
  }
  // NaN where either is NaN
  friend Vector max_or_nan(Vector a, Vector b) { return {vmaxq_f32(a.lanes, b.lanes)}; }

  // Lanes 2i and 2i + 1 in each other's place
  friend Vector swap_neighbours(Vector x) { return {vrev64q_f32(x.lanes)}; }
  friend Vector reverse(Vector x) {
    const float32x4_t pairs = vrev64q_f32(x.lanes);
    return {vextq_f32(pairs, pairs, 2)};
  }

  friend Vector sqrt(Vector x) { return {vsqrtq_f32(x.lanes)}; }
  friend Vector abs(Vector x) { return {vabsq_f32(x.lanes)}; }
  // `magnitude` ≥ 0 with the sign of x
  friend Vector copy_sign(Vector magnitude, Vector x) {
    return {vbslq_f32(vdupq_n_u32(0x80000000u), x.lanes, magnitude.lanes)};
  }
  friend Vector round_to_integer(Vector x) { return {vrndnq_f32(x.lanes)}; }
  // x·2^exponent for x in [½, 2] and integers of [-160, 60], rounded once where the result is subnormal. 2^exponent
  // itself need not be an f32: it is applied as 2^(exponent + 64), then 2^-64.
  friend Vector scale_by_power_of_two(Vector x, Vector exponent) {
    const int32x4_t biased = vaddq_s32(vcvtq_s32_f32(exponent.lanes), vdupq_n_s32(127 + 64));
    const float32x4_t power = vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
    return {vmulq_f32(vmulq_f32(x.lanes, power), vdupq_n_f32(0x1p-64f))};
  }

  friend float reduce_sum(Vector x) { return vaddvq_f32(x.lanes); }
  friend float reduce_max(Vector x) { return vmaxvq_f32(x.lanes); }

  static Vector from_f16(const uint16_t* x) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x)))}; }
  static Vector from_bf16(const uint16_t* x) { return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(x), 16))}; }
  static Vector from_f64(const double* x) { return {vcombine_f32(narrow(vld1q_f64(x)), narrow(vld1q_f64(x + 2)))}; }

  // A column of a strip of A is read four elements at a time: a multiply takes its factor from a lane of a register.
  struct Column {
    float32x4_t rows[kGemmRows / kLanes];
  };
  static Column load_column(const float* strip) {
    return {{vld1q_f32(strip), vld1q_f32(strip + kLanes), vld1q_f32(strip + 2 * kLanes)}};
  }
  // column[kRow]·x + sum, rounded once
  template <size_t kRow>
  static Vector fma_row(const Column& column, Vector x, Vector sum) {
    return {vfmaq_laneq_f32(sum.lanes, x.lanes, column.rows[kRow / kLanes], kRow % kLanes)};
  }

  // out[j·out_stride + i] = in[i·in_stride + j] for i, j < 4
  static BN_ALWAYS_INLINE void transpose_4x4(float* out, size_t out_stride, const float* in, size_t in_stride) {
    const float32x4x2_t rows01 = vtrnq_f32(vld1q_f32(in), vld1q_f32(in + in_stride));
    const float32x4x2_t rows23 = vtrnq_f32(vld1q_f32(in + 2 * in_stride), vld1q_f32(in + 3 * in_stride));
    vst1q_f32(out, vcombine_f32(vget_low_f32(rows01.val[0]), vget_low_f32(rows23.val[0])));
    vst1q_f32(out + out_stride, vcombine_f32(vget_low_f32(rows01.val[1]), vget_low_f32(rows23.val[1])));
    vst1q_f32(out + 2 * out_stride, vcombine_f32(vget_high_f32(rows01.val[0]), vget_high_f32(rows23.val[0])));
    vst1q_f32(out + 3 * out_stride, vcombine_f32(vget_high_f32(rows01.val[1]), vget_high_f32(rows23.val[1])));
  }

 private:
  // Where the result is subnormal, it is made by integer arithmetic, which no flush-to-zero mode touches: the spacing
  // of doubles from 2⁻⁹⁷ on is 2⁻¹⁴⁹, that of subnormal f32, so the last bits of |x| + 2⁻⁹⁷ count those steps.
  static float32x2_t narrow(float64x2_t x) {
    const float64x2_t magnitude = vabsq_f64(x);
    const uint32x2_t tiny = vmovn_u64(vcltq_f64(magnitude, vdupq_n_f64(0x1p-126)));
    const float64x2_t steps_from = vdupq_n_f64(0x1p-97);
    const uint64x2_t steps =
        vsubq_u64(vreinterpretq_u64_f64(vaddq_f64(magnitude, steps_from)), vreinterpretq_u64_f64(steps_from));
    const uint32x2_t sign = vand_u32(vshrn_n_u64(vreinterpretq_u64_f64(x), 32), vdup_n_u32(0x80000000u));
    const uint32x2_t subnormal = vorr_u32(sign, vmovn_u64(steps));
    return vbsl_f32(tiny, vreinterpret_f32_u32(subnormal), vcvt_f32_f64(x));
  }
};

}  // namespace
}  // namespace bert_native::neon
