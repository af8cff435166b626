#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/compiler.h"
#include "tokenizer/unicode_tables.h"

namespace bert_native::unicode {

inline constexpr char32_t kLastCodePoint = 0x10ffff;

// The value of `c` in two stages of unicode_tables.h.
template <int kShift, typename Index, typename Value>
BN_ALWAYS_INLINE Value two_stage(const Index* index, const Value* values, char32_t c) {
  const size_t block = static_cast<size_t>(index[c >> kShift]) << kShift;
  return values[block | (c & ((1u << kShift) - 1))];
}

// The record of flags of unicode_tables.h. Here and below `c` ≤ kLastCodePoint, surrogates included.
BN_ALWAYS_INLINE uint16_t record(char32_t c) { return two_stage<kRecordShift>(kRecordIndex, kRecordValues, c); }

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

// What a lone surrogate becomes where it cannot stay.
inline constexpr char32_t kReplacement = 0xfffd;
inline bool is_surrogate(char32_t c) { return c >= 0xd800 && c <= 0xdfff; }

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

struct DecodedBytes {
  char32_t code_point;
  size_t length;  // 0: no well-formed sequence starts here
};

// The code point that `bytes`, which are not empty, begin with.
DecodedBytes decode_utf8(std::string_view bytes);

// Well-formed: no surrogates, no overlong forms (The Unicode Standard, table 3-7).
bool is_utf8(std::string_view bytes);

// `text` without the white space (White_Space and U+001C to U+001F, as Python's str.strip() has it) around it.
std::string_view strip_white_space(std::string_view utf8);

BN_ALWAYS_INLINE bool is_white_space(char32_t c) { return (record(c) & kWhiteSpace) != 0; }

// \w as the Rust library tokenizers has it.
BN_ALWAYS_INLINE bool is_word_character(char32_t c) { return (record(c) & kWordCharacter) != 0; }

// The category, and kAlphabetic above it.
BN_ALWAYS_INLINE uint8_t category_record(char32_t c) {
  return two_stage<kCategoryShift>(kCategoryIndex, kCategoryValues, c);
}

BN_ALWAYS_INLINE Category general_category(char32_t c) {
  return static_cast<Category>(category_record(c) & (kAlphabetic - 1));
}

// A set of categories, which one shift tests.
using CategorySet = uint32_t;

template <typename... Categories>
constexpr CategorySet category_set(Categories... categories) {
  return ((CategorySet{1} << static_cast<int>(categories)) | ...);
}

inline constexpr CategorySet kLetters =
    category_set(Category::kLu, Category::kLl, Category::kLt, Category::kLm, Category::kLo);
inline constexpr CategorySet kMarks = category_set(Category::kMn, Category::kMc, Category::kMe);
inline constexpr CategorySet kNumbers = category_set(Category::kNd, Category::kNl, Category::kNo);
inline constexpr CategorySet kPunctuations = category_set(Category::kPc, Category::kPd, Category::kPs, Category::kPe,
                                                          Category::kPi, Category::kPf, Category::kPo);
inline constexpr CategorySet kSymbols = category_set(Category::kSm, Category::kSc, Category::kSk, Category::kSo);
inline constexpr CategorySet kSeparators = category_set(Category::kZs, Category::kZl, Category::kZp);
inline constexpr CategorySet kOthers =
    category_set(Category::kCc, Category::kCf, Category::kCs, Category::kCo, Category::kCn);

BN_ALWAYS_INLINE bool is_in(CategorySet set, char32_t c) {
  return (set >> (category_record(c) & (kAlphabetic - 1)) & 1) != 0;
}

BN_ALWAYS_INLINE bool is_letter(char32_t c) { return is_in(kLetters, c); }
BN_ALWAYS_INLINE bool is_mark(char32_t c) { return is_in(kMarks, c); }
BN_ALWAYS_INLINE bool is_numeric(char32_t c) { return is_in(kNumbers, c); }
BN_ALWAYS_INLINE bool is_punctuation(char32_t c) { return is_in(kPunctuations, c); }
BN_ALWAYS_INLINE bool is_symbol(char32_t c) { return is_in(kSymbols, c); }
BN_ALWAYS_INLINE bool is_separator(char32_t c) { return is_in(kSeparators, c); }
BN_ALWAYS_INLINE bool is_other(char32_t c) { return is_in(kOthers, c); }
BN_ALWAYS_INLINE bool is_alphabetic(char32_t c) { return (category_record(c) & kAlphabetic) != 0; }

// As the Rust library tokenizers tells scripts apart: by Unicode 9.0.
BN_ALWAYS_INLINE Script script(char32_t c) {
  return static_cast<Script>(two_stage<kScriptShift>(kScriptIndex, kScriptValues, c));
}

// Grapheme_Cluster_Break and, above it, Indic_Conjunct_Break.
BN_ALWAYS_INLINE uint8_t grapheme_record(char32_t c) {
  return two_stage<kGraphemeBreakShift>(kGraphemeBreakIndex, kGraphemeBreakValues, c);
}

BN_ALWAYS_INLINE GraphemeBreak grapheme_break(char32_t c) {
  return static_cast<GraphemeBreak>(grapheme_record(c) & ((1 << kIndicConjunctShift) - 1));
}

BN_ALWAYS_INLINE IndicConjunct indic_conjunct(char32_t c) {
  return static_cast<IndicConjunct>(grapheme_record(c) >> kIndicConjunctShift);
}

// The end of the extended grapheme cluster (Unicode annex 29) that starts at text[begin].
size_t grapheme_end(std::u32string_view text, size_t begin);

// The rank of the combining class, and kNewNonstarter.
BN_ALWAYS_INLINE uint8_t combining_rank_record(char32_t c) {
  return two_stage<kCombiningRankShift>(kCombiningRankIndex, kCombiningRankValues, c);
}

// Ranks instead of Canonical_Combining_Class, in the same order; 0 for a character that decomposes: what it becomes has
// the classes.
BN_ALWAYS_INLINE uint8_t combining_rank(char32_t c) { return combining_rank_record(c) & (kNewNonstarter - 1); }

// The same as the normalization forms have it.
BN_ALWAYS_INLINE uint8_t combining_rank_in_forms(char32_t c) {
  const uint8_t record = combining_rank_record(c);
  return (record & kNewNonstarter) ? 0 : record;
}

// The flags kChangesIn… and those that follow them.
BN_ALWAYS_INLINE uint8_t normalization_flags(char32_t c) {
  return two_stage<kNormalizationShift>(kNormalizationIndex, kNormalizationValues, c);
}

BN_ALWAYS_INLINE bool decomposes_in_forms(char32_t c) { return (normalization_flags(c) & kDecomposesInForms) != 0; }
BN_ALWAYS_INLINE bool is_mark_in_forms(char32_t c) { return (normalization_flags(c) & kMarkInForms) != 0; }

// Sequences of code points that a mapping yields: a view into static storage.
using CodePoints = std::basic_string_view<char32_t>;

inline CodePoints pooled_sequence(const uint8_t* index, const uint16_t* positions, const char32_t* pool, char32_t c) {
  const char32_t* entry = pool + two_stage<kMappingShift>(index, positions, c);
  return {entry + 1, entry[0]};
}

// `c` has kLowercases. By itself, without context.
inline CodePoints lowercase_mapping(char32_t c) {
  return pooled_sequence(kLowercaseIndex, kLowercasePositions, kLowercasePool, c);
}

// `c` has kDecomposes: the full canonical decomposition.
inline CodePoints canonical_decomposition(char32_t c) {
  return pooled_sequence(kDecompositionIndex, kDecompositionPositions, kDecompositionPool, c);
}

// The full compatibility decomposition in the forms; empty where it is the canonical one, or there is none.
inline CodePoints compatibility_decomposition(char32_t c) {
  if (c > kLastCompatibility) return {};
  return pooled_sequence(kCompatibilityIndex, kCompatibilityPositions, kCompatibilityPool, c);
}

inline bool is_hangul_syllable(char32_t c) { return c >= 0xac00 && c <= 0xd7a3; }

inline constexpr char32_t kFirstSyllable = 0xac00, kFirstL = 0x1100, kFirstV = 0x1161, kBeforeFirstT = 0x11a7;
inline constexpr char32_t kLeads = 19, kVowels = 21, kTrails = 28;

// Writes the two or three conjoining jamo of a Hangul syllable (The Unicode Standard, section 3.12) and returns how
// many.
inline size_t decompose_hangul(char32_t syllable, char32_t out[3]) {
  const char32_t index = syllable - kFirstSyllable;
  out[0] = kFirstL + index / (kVowels * kTrails);
  out[1] = kFirstV + index % (kVowels * kTrails) / kTrails;
  const char32_t trail = index % kTrails;
  out[2] = kBeforeFirstT + trail;
  return trail == 0 ? 2 : 3;
}

// The character that `first` and `second` compose to in the forms, or 0. Worth asking for a `second` that has
// kComposesBack.
char32_t compose(char32_t first, char32_t second);

}  // namespace bert_native::unicode
