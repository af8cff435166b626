#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/compiler.h"

#if BN_X86_64
#include <emmintrin.h>
#elif BN_ARM64
#include <arm_neon.h>
#endif

namespace bert_native {

// UTF-16 units in blocks, with what every processor of a kind has: SSE2 on x86-64, NEON on ARM.

inline constexpr size_t kScanBlock = 64;

// Of each unit of a block one bit, the first lowest: what stands between words in ASCII. Other controls than the three
// below are not among it: a tokenizer's options say what they are.
struct Delimiters {
  uint64_t spaces = 0;       // space, tab, line feed, carriage return
  uint64_t punctuation = 0;  // printable, neither letter nor digit nor space
};

namespace scan {

BN_ALWAYS_INLINE bool is_space(unsigned char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
BN_ALWAYS_INLINE bool is_punctuation(unsigned char c) {
  const unsigned char folded = c | 0x20;
  const bool is_letter = folded >= 'a' && folded <= 'z', is_digit = c >= '0' && c <= '9';
  return c > ' ' && c <= '~' && !is_letter && !is_digit;
}

#if BN_X86_64

BN_ALWAYS_INLINE __m128i set_bytes(int value) { return _mm_set1_epi8(static_cast<char>(value)); }

// Lanes of x in [first, first + count), count ≤ 127: shifted so that the range starts at the least signed number.
BN_ALWAYS_INLINE __m128i in_range(__m128i x, int first, int count) {
  return _mm_cmplt_epi8(_mm_add_epi8(x, set_bytes(128 - first)), set_bytes(-128 + count));
}

BN_ALWAYS_INLINE __m128i at_most_255(__m128i units) {
  return _mm_sub_epi16(units, _mm_subs_epu16(units, _mm_set1_epi16(0xff)));
}

BN_ALWAYS_INLINE Delimiters narrow_16(const char16_t* units, unsigned char lower_bit, unsigned char* bytes) {
  const __m128i low = at_most_255(_mm_loadu_si128(reinterpret_cast<const __m128i*>(units)));
  const __m128i high = at_most_255(_mm_loadu_si128(reinterpret_cast<const __m128i*>(units + 8)));
  const __m128i x = _mm_packus_epi16(low, high);
  const __m128i letter = in_range(_mm_or_si128(x, set_bytes(0x20)), 'a', 26);
  const __m128i word = _mm_or_si128(letter, in_range(x, '0', 10));
  const __m128i punctuation = _mm_andnot_si128(word, in_range(x, '!', 0x5e));
  const __m128i lines = _mm_or_si128(_mm_cmpeq_epi8(x, set_bytes('\n')), _mm_cmpeq_epi8(x, set_bytes('\r')));
  const __m128i blanks = _mm_or_si128(_mm_cmpeq_epi8(x, set_bytes('\t')), _mm_cmpeq_epi8(x, set_bytes(' ')));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), _mm_or_si128(x, _mm_and_si128(letter, set_bytes(lower_bit))));
  return {static_cast<uint32_t>(_mm_movemask_epi8(_mm_or_si128(lines, blanks))),
          static_cast<uint32_t>(_mm_movemask_epi8(punctuation))};
}

BN_ALWAYS_INLINE uint64_t equal_16(const char16_t* units, const std::array<char16_t, 4>& wanted) {
  const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(units));
  const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(units + 8));
  __m128i low_equal = _mm_setzero_si128(), high_equal = _mm_setzero_si128();
  for (const char16_t unit : wanted) {
    const __m128i value = _mm_set1_epi16(static_cast<int16_t>(unit));
    low_equal = _mm_or_si128(low_equal, _mm_cmpeq_epi16(low, value));
    high_equal = _mm_or_si128(high_equal, _mm_cmpeq_epi16(high, value));
  }
  return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low_equal, high_equal)));
}

#elif BN_ARM64

BN_ALWAYS_INLINE uint8x16_t in_range(uint8x16_t x, uint8_t first, uint8_t count) {
  return vcltq_u8(vsubq_u8(x, vdupq_n_u8(first)), vdupq_n_u8(count));
}

// One bit per lane, of lanes that are all ones or all zeros.
BN_ALWAYS_INLINE uint64_t bits_of(uint8x16_t lanes) {
  constexpr uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bits = vandq_u8(lanes, vld1q_u8(kBits));
  return vaddv_u8(vget_low_u8(bits)) | (static_cast<uint64_t>(vaddv_u8(vget_high_u8(bits))) << 8);
}

BN_ALWAYS_INLINE Delimiters narrow_16(const char16_t* units, unsigned char lower_bit, unsigned char* bytes) {
  const uint16_t* from = reinterpret_cast<const uint16_t*>(units);
  const uint8x16_t x = vcombine_u8(vqmovn_u16(vld1q_u16(from)), vqmovn_u16(vld1q_u16(from + 8)));
  const uint8x16_t letter = in_range(vorrq_u8(x, vdupq_n_u8(0x20)), 'a', 26);
  const uint8x16_t word = vorrq_u8(letter, in_range(x, '0', 10));
  const uint8x16_t lines = vorrq_u8(vceqq_u8(x, vdupq_n_u8('\n')), vceqq_u8(x, vdupq_n_u8('\r')));
  const uint8x16_t blanks = vorrq_u8(vceqq_u8(x, vdupq_n_u8('\t')), vceqq_u8(x, vdupq_n_u8(' ')));
  vst1q_u8(bytes, vorrq_u8(x, vandq_u8(letter, vdupq_n_u8(lower_bit))));
  return {bits_of(vorrq_u8(lines, blanks)), bits_of(vbicq_u8(in_range(x, '!', 0x5e), word))};
}

BN_ALWAYS_INLINE uint64_t equal_16(const char16_t* units, const std::array<char16_t, 4>& wanted) {
  const uint16_t* from = reinterpret_cast<const uint16_t*>(units);
  const uint16x8_t low = vld1q_u16(from), high = vld1q_u16(from + 8);
  uint16x8_t low_equal = vdupq_n_u16(0), high_equal = vdupq_n_u16(0);
  for (const char16_t unit : wanted) {
    low_equal = vorrq_u16(low_equal, vceqq_u16(low, vdupq_n_u16(unit)));
    high_equal = vorrq_u16(high_equal, vceqq_u16(high, vdupq_n_u16(unit)));
  }
  return bits_of(vcombine_u8(vmovn_u16(low_equal), vmovn_u16(high_equal)));
}

#else

BN_ALWAYS_INLINE Delimiters narrow_16(const char16_t* units, unsigned char lower_bit, unsigned char* bytes) {
  Delimiters delimiters;
  for (size_t i = 0; i < 16; ++i) {
    const unsigned char byte = static_cast<unsigned char>(units[i] < 0xff ? units[i] : 0xff);
    const bool is_upper = byte >= 'A' && byte <= 'Z';
    bytes[i] = static_cast<unsigned char>(is_upper ? byte | lower_bit : byte);
    delimiters.spaces |= static_cast<uint64_t>(is_space(byte)) << i;
    delimiters.punctuation |= static_cast<uint64_t>(is_punctuation(byte)) << i;
  }
  return delimiters;
}

BN_ALWAYS_INLINE uint64_t equal_16(const char16_t* units, const std::array<char16_t, 4>& wanted) {
  uint64_t equal = 0;
  for (size_t i = 0; i < 16; ++i) {
    for (const char16_t unit : wanted) equal |= static_cast<uint64_t>(units[i] == unit) << i;
  }
  return equal;
}

#endif

}  // namespace scan

// Writes kScanBlock units as bytes, those above U+00FF as 0xff, letters of ASCII with `lower_bit` (0 or 0x20) set.
BN_ALWAYS_INLINE Delimiters narrow_block(const char16_t* units, unsigned char lower_bit, unsigned char* bytes) {
  Delimiters all;
  for (size_t i = 0; i < kScanBlock; i += 16) {
    const Delimiters some = scan::narrow_16(units + i, lower_bit, bytes + i);
    all.spaces |= some.spaces << i;
    all.punctuation |= some.punctuation << i;
  }
  return all;
}

// The first position from `from` on that holds one of four units (which may repeat), or the text's end.
size_t find_unit(std::u16string_view text, size_t from, const std::array<char16_t, 4>& wanted);

}  // namespace bert_native
