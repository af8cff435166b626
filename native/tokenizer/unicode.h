#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/compiler.h"
#include "tokenizer/unicode_tables.h"

namespace bert_native::unicode {

inline constexpr char32_t kLastCodePoint = 0x10ffff;

// The record of flags of unicode_tables.h; `c` ≤ kLastCodePoint, surrogates included.
BN_ALWAYS_INLINE uint16_t record(char32_t c) {
  const size_t block = static_cast<size_t>(kRecordIndex[c >> kRecordShift]) << kRecordShift;
  return kRecords[block | (c & ((1u << kRecordShift) - 1))];
}

inline int combining_rank(uint16_t record) { return record >> kRankShift; }

struct DecodedUnit {
  char32_t code_point;
  size_t length;  // in UTF-16 units
};

// The code point that starts at `text[i]`; a lone surrogate stands for itself.
BN_ALWAYS_INLINE DecodedUnit decode_utf16(std::u16string_view text, size_t i) {
  const char32_t unit = text[i];
  if ((unit & 0xfc00) == 0xd800 && i + 1 < text.size() && (text[i + 1] & 0xfc00) == 0xdc00) {
    return {0x10000 + ((unit & 0x3ff) << 10) + (text[i + 1] & 0x3ffu), 2};
  }
  return {unit, 1};
}

// The code point that ends before `text[i]`, i > 0.
inline DecodedUnit decode_utf16_before(std::u16string_view text, size_t i) {
  if (i >= 2) {
    const DecodedUnit pair = decode_utf16(text, i - 2);
    if (pair.length == 2) return pair;
  }
  return {text[i - 1], 1};
}

inline constexpr size_t kMaxUtf8Bytes = 4;

// Writes `c` as UTF-8 and returns the number of bytes. A surrogate is written like any other code point of its size
// (the generalised UTF-8 known as WTF-8).
BN_ALWAYS_INLINE size_t encode_utf8(char32_t c, char* out) {
  if (c < 0x80) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  if (c < 0x800) {
    out[0] = static_cast<char>(0xc0 | (c >> 6));
    out[1] = static_cast<char>(0x80 | (c & 0x3f));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = static_cast<char>(0xe0 | (c >> 12));
    out[1] = static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out[2] = static_cast<char>(0x80 | (c & 0x3f));
    return 3;
  }
  out[0] = static_cast<char>(0xf0 | (c >> 18));
  out[1] = static_cast<char>(0x80 | ((c >> 12) & 0x3f));
  out[2] = static_cast<char>(0x80 | ((c >> 6) & 0x3f));
  out[3] = static_cast<char>(0x80 | (c & 0x3f));
  return 4;
}

std::string to_utf8(std::u16string_view text);
std::string to_utf8(std::u32string_view text);

struct Utf16Units {
  char16_t first;
  char16_t second;  // 0: there is only one
};

inline Utf16Units utf16_units(char32_t c) {
  if (c < 0x10000) return {static_cast<char16_t>(c), 0};
  return {static_cast<char16_t>(0xd7c0 + (c >> 10)), static_cast<char16_t>(0xdc00 | (c & 0x3ff))};
}

std::u16string to_utf16(std::u32string_view text);
// `utf8` is well-formed.
std::u16string to_utf16(std::string_view utf8);

// Well-formed: no surrogates, no overlong forms (The Unicode Standard, table 3-7).
bool is_utf8(std::string_view bytes);

// `text` without the white space (White_Space and U+001C to U+001F, as Python's str.strip() has it) around it.
std::string_view strip_white_space(std::string_view utf8);

// Sequences of code points that a mapping yields: a view into static storage.
using CodePoints = std::basic_string_view<char32_t>;

// `c` has kLowercases. By itself, without context.
inline CodePoints lowercase_mapping(char32_t c) {
  const size_t block = static_cast<size_t>(kLowercaseIndex[c >> kMappingShift]) << kMappingShift;
  const char32_t* entry = kLowercasePool + kLowercasePositions[block | (c & ((1u << kMappingShift) - 1))];
  return {entry + 1, entry[0]};
}

// `c` has kDecomposes: the full canonical decomposition.
inline CodePoints canonical_decomposition(char32_t c) {
  const size_t block = static_cast<size_t>(kDecompositionIndex[c >> kMappingShift]) << kMappingShift;
  const char32_t* entry = kDecompositionPool + kDecompositionPositions[block | (c & ((1u << kMappingShift) - 1))];
  return {entry + 1, entry[0]};
}

inline bool is_hangul_syllable(char32_t c) { return c >= 0xac00 && c <= 0xd7a3; }

// Writes the two or three conjoining jamo of a Hangul syllable (The Unicode Standard, section 3.12) and returns how
// many.
inline size_t decompose_hangul(char32_t syllable, char32_t out[3]) {
  constexpr char32_t kFirstSyllable = 0xac00, kFirstL = 0x1100, kFirstV = 0x1161, kBeforeFirstT = 0x11a7;
  constexpr char32_t kVowels = 21, kTrails = 28;
  const char32_t index = syllable - kFirstSyllable;
  out[0] = kFirstL + index / (kVowels * kTrails);
  out[1] = kFirstV + index % (kVowels * kTrails) / kTrails;
  const char32_t trail = index % kTrails;
  out[2] = kBeforeFirstT + trail;
  return trail == 0 ? 2 : 3;
}

}  // namespace bert_native::unicode
