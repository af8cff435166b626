#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// Rounding f32 to the two formats of 16 bits, to nearest, ties to even: the same bits on every instruction set and in
// every flush-to-zero mode (a subnormal f32 becomes zero in f16 either way). In an unnamed namespace, so that code
// compiled for wide instructions may use it too.

namespace bert_native {
namespace {

// Elements of these types are only kept and widened.
struct Bf16 {
  uint16_t bits;
};
struct F16 {
  uint16_t bits;
};

inline uint32_t f32_bits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float f32_from_bits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

// NaN stays NaN: its upper bits and the quiet bit are kept.
inline uint16_t bf16_bits(float x) {
  const uint32_t bits = f32_bits(x);
  const uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  const uint32_t quiet = bits >> 16 | 0x40u;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

inline float bf16_value(uint16_t bits) { return f32_from_bits(static_cast<uint32_t>(bits) << 16); }

// Too large for f16 gives infinity, as IEEE 754 has it. Without branches, so that loops over it become vector code.
inline uint16_t f16_bits(float x) {
  const uint32_t bits = f32_bits(x), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ffu) : 0x7c00u;
  // Below 2⁻¹⁴, subnormal in steps of 2⁻²⁴: the spacing of f32 from ½ on.
  const uint32_t steps = f32_bits(f32_from_bits(magnitude) + 0.5f) - f32_bits(0.5f);
  const uint32_t rebiased = magnitude - ((127 - 15) << 23);
  const uint32_t normal = (rebiased + 0xfffu + (rebiased >> 13 & 1u)) >> 13;
  const uint32_t finite = magnitude < 0x38800000u ? steps : normal;
  return static_cast<uint16_t>(sign | (magnitude >= 0x477ff000u ? special : finite));  // that rounds to 2¹⁶ or more
}

}  // namespace
}  // namespace bert_native
