#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tokenizer/unicode.h"

namespace bert_native {

// Whose character classes.
enum class BertCharacters : uint8_t {
  kPython,  // the original's, of the Unicode version of unicode_tables.h
  kRust,    // those of the Rust library tokenizers, which tokenizer.json is written for
};

struct BertNormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
  BertCharacters characters = BertCharacters::kPython;
};

// BERT's normalisation (google-research/bert, tokenization.py) one code point at a time, so that whoever drives it
// knows where each result came from: clean_text drops controls, Chinese characters become words of their own,
// lower-casing is per code point; strip_accents decomposes canonically and drops the
// marks of category Mn.
class BertNormalizer {
 public:
  explicit BertNormalizer(const BertNormalizerOptions& options);

  // What a code point of the text does to the words.
  enum class Role : uint8_t {
    kLetter,    // part of a word, after map()
    kDropped,   // as if it were not there
    kSpace,     // ends a word
    kIsolated,  // a word of its own, after map()
  };

  Role role(uint16_t record) const {
    if (record & dropped_) return Role::kDropped;
    if (record & unicode::kWhiteSpace) return Role::kSpace;
    if (record & isolated_) return Role::kIsolated;
    return Role::kLetter;
  }

  // Calls sink(code_point, record) for each code point that `c` becomes: lower-cased if the options say so and, for
  // `decompose`, canonically decomposed. Dropping and ordering the marks that come out is the caller's part: it needs
  // to know what stands beside them.
  template <typename Sink>
  void map(char32_t c, uint16_t record, bool decompose, Sink&& sink) const {
    if (options_.lowercase && (record & unicode::kLowercases)) {
      for (const char32_t lower : unicode::lowercase_mapping(c)) {
        map_lowercased(lower, unicode::record(lower), decompose, sink);
      }
    } else {
      map_lowercased(c, record, decompose, sink);
    }
  }

  bool is_punctuation(uint16_t record) const { return (record & flags_.punctuation) != 0; }
  // Of the category that strip_accents drops.
  bool is_nonspacing_mark(uint16_t record) const { return (record & flags_.nonspacing_mark) != 0; }
  // Whether `c` may have a combining_rank() or is a nonspacing mark.
  bool may_be_mark(uint16_t record) const { return (record & (flags_.nonspacing_mark | unicode::kNonstarter)) != 0; }
  // 0 for a starter.
  int combining_rank(char32_t c) const {
    return is_rust() ? unicode::combining_rank_in_forms(c) : unicode::combining_rank(c);
  }
  // Records without any of these flags are those of letters that map() leaves alone.
  uint16_t flags_of_change() const;

  const BertNormalizerOptions& options() const { return options_; }

 private:
  // Flags of a record.
  struct CharacterFlags {
    uint16_t removed;
    uint16_t punctuation;
    uint16_t chinese;
    uint16_t nonspacing_mark;
  };
  static CharacterFlags flags_of(BertCharacters characters);

  bool is_rust() const { return options_.characters == BertCharacters::kRust; }
  bool has_decomposition(char32_t c) const { return !is_rust() || unicode::decomposes_in_forms(c); }

  template <typename Sink>
  void map_lowercased(char32_t c, uint16_t record, bool decompose, Sink& sink) const {
    if (decompose && unicode::is_hangul_syllable(c)) {
      char32_t jamo[3];
      const size_t count = unicode::decompose_hangul(c, jamo);
      for (size_t i = 0; i < count; ++i) sink(jamo[i], unicode::record(jamo[i]));
    } else if (decompose && (record & unicode::kDecomposes) && has_decomposition(c)) {
      for (const char32_t part : unicode::canonical_decomposition(c)) sink(part, unicode::record(part));
    } else if (is_rust() && unicode::is_surrogate(c)) {
      sink(unicode::kReplacement, unicode::record(unicode::kReplacement));
    } else {
      sink(c, record);
    }
  }

  BertNormalizerOptions options_;
  CharacterFlags flags_;
  uint16_t dropped_ = 0;   // flags that make a code point kDropped
  uint16_t isolated_ = 0;  // flags that make it kIsolated
};

}  // namespace bert_native
