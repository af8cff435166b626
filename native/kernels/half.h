#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

// Rounding f32 to the two formats of 16 bits, to nearest, ties to even, by integer arithmetic: the same bits on every
// instruction set, and in every flush-to-zero mode. In an unnamed namespace, so that code compiled for wide
// instructions may use it too.

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

// Too large for f16 gives infinity, as IEEE 754 has it.
inline uint16_t f16_bits(float x) {
  const uint32_t bits = f32_bits(x), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds to 2¹⁶ or more
  if (magnitude < 0x38800000u) {  // below 2⁻¹⁴: subnormal in steps of 2⁻²⁴
    if (magnitude < 0x33000000u) return static_cast<uint16_t>(sign);  // below half a step
    const uint32_t shift = 126 - (magnitude >> 23);                   // brings the steps to bit 0
    const uint32_t fraction = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t kept = fraction >> shift, rest = fraction & ((1u << shift) - 1), half = 1u << (shift - 1);
    return static_cast<uint16_t>(sign | (kept + (rest > half || (rest == half && (kept & 1u)))));
  }
  const uint32_t rebiased = magnitude - ((127 - 15) << 23);
  return static_cast<uint16_t>(sign | (rebiased + 0xfffu + (rebiased >> 13 & 1u)) >> 13);
}

}  // namespace
}  // namespace bert_native
