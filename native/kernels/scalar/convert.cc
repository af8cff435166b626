#include <bit>

#include "kernels/scalar/kernels.h"

// Conversions by integer arithmetic where a value may be subnormal, so that they are exact whatever flush-to-zero mode
// the host program left the thread in. Signalling NaNs of f16 become quiet ones, as processors do it.

namespace bert_native::scalar {

namespace {

// IEEE 754 binary16: 1 sign bit, 5 exponent bits of bias 15, 10 fraction bits.
float f16_value(uint16_t x) {
  const uint32_t sign = static_cast<uint32_t>(x & 0x8000u) << 16;
  const uint32_t exponent = (x >> 10) & 0x1fu;
  uint32_t fraction = x & 0x3ffu;
  if (exponent == 0x1f) {
    const uint32_t quiet = fraction == 0 ? 0 : 0x400000u;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | fraction << 13);
  }
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 127 - 15) << 23 | fraction << 13);
  if (fraction == 0) return std::bit_cast<float>(sign);
  const uint32_t shift = static_cast<uint32_t>(std::countl_zero(fraction)) - 21;  // brings the leading one to bit 10
  fraction = (fraction << shift) & 0x3ffu;
  return std::bit_cast<float>(sign | (127 - 14 - shift) << 23 | fraction << 13);
}

float f64_value(double x) {
  const uint64_t bits = std::bit_cast<uint64_t>(x);
  const double magnitude = std::bit_cast<double>(bits & 0x7fffffffffffffffu);
  if (!(magnitude < 0x1p-126)) return static_cast<float>(x);
  // The spacing of doubles from 2⁻⁹⁷ on is 2⁻¹⁴⁹, that of subnormal floats: the sum rounds the value as f32 would, and
  // its last bits count those steps.
  const double rounded = magnitude + 0x1p-97;
  const uint64_t steps = std::bit_cast<uint64_t>(rounded) - std::bit_cast<uint64_t>(0x1p-97);
  return std::bit_cast<float>(static_cast<uint32_t>(bits >> 32 & 0x80000000u) | static_cast<uint32_t>(steps));
}

}  // namespace

void f16_to_f32(float* out, const uint16_t* x, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = f16_value(x[i]);
}

void bf16_to_f32(float* out, const uint16_t* x, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = std::bit_cast<float>(static_cast<uint32_t>(x[i]) << 16);
}

void f64_to_f32(float* out, const double* x, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] = f64_value(x[i]);
}

}  // namespace bert_native::scalar
