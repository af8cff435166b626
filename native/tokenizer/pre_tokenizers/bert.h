#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer/double_array_trie.h"
#include "tokenizer/normalizers/bert.h"
#include "tokenizer/word_buffer.h"

namespace bert_native {

// Normalises a text and cuts it into words in one pass: at white space, around Chinese characters, and around every
// punctuation character, which becomes a word of its own.
class BertPreTokenizer {
 public:
  // `never_split`: words (UTF-8) as they stand between white space after cleaning and lower-casing; they keep their
  // accents and their punctuation.
  BertPreTokenizer(const BertNormalizerOptions& options, DoubleArrayTrie never_split);

  // Calls `bool sink(const WordBuffer& word, int32_t never_split_value)` for every word that starts at or after `begin`
  // in `text`, in order, until it returns false; the value is that of the never_split entry which the word equals, or
  // DoubleArrayTrie::kNoValue. Spans count from the start of `text`. `word` is scratch memory.
  template <typename Sink>
  void split(std::u16string_view text, size_t begin, WordBuffer& word, Sink&& sink) const {
    word.clear();
    bool wanted = true;
    for (size_t i = skip_gap(text, begin); wanted && i < text.size(); i = skip_gap(text, i)) {
      const UnsplitMatch match = match_never_split(text, i);
      if (match.value != DoubleArrayTrie::kNoValue) {
        fill(text, i, match, word);
        wanted = sink(static_cast<const WordBuffer&>(word), match.value);
        word.clear();
        i = match.end;
      } else {
        wanted = split_word(text, i, word, sink);
      }
    }
  }

  // A word that equals an entry of never_split ends at `end`; value kNoValue: there is none.
  struct UnsplitMatch {
    size_t end = 0;
    int32_t value = DoubleArrayTrie::kNoValue;
    bool decomposed = false;  // it is equal only without its accents
  };

  // Whether a text may be cut at ASCII punctuation and white space, each part split by itself, and only at characters
  // that start_never_split() names match_never_split() be asked: so it is unless an entry of never_split starts with
  // something else.
  bool cuts_at_punctuation() const { return cuts_at_punctuation_; }
  bool starts_never_split(unsigned char c) const { return never_split_starts_[c]; }

  // The entry of never_split that a word equals which starts at text[i], if split() would look for one there: at
  // `begin`, behind white space and behind a Chinese character.
  UnsplitMatch find_never_split(std::u16string_view text, size_t begin, size_t i) const {
    return starts_word(text.substr(begin), i - begin) ? match_never_split(text, i) : UnsplitMatch{};
  }

  const BertNormalizerOptions& options() const { return normalizer_.options(); }

 private:
  // What an ASCII character does: the common case in one look-up. `lowered` is what it becomes as part of a word.
  enum class AsciiRole : uint8_t { kLetter, kDropped, kSpace, kPunctuation };
  struct AsciiEntry {
    AsciiRole role = AsciiRole::kLetter;
    char lowered = 0;
  };

  static Span span_at(size_t begin, size_t length) {
    return {static_cast<int32_t>(begin), static_cast<int32_t>(begin + length)};
  }

  // Whether only dropped characters stand between text[i] and what ends a word.
  bool starts_word(std::u16string_view text, size_t i) const;
  // The first position from `i` on whose character is neither white space nor dropped.
  size_t skip_gap(std::u16string_view text, size_t i) const;

  UnsplitMatch match_never_split(std::u16string_view text, size_t begin) const {
    if (never_split_.empty()) return {};
    const bool can_strip = normalizer_.options().strip_accents;
    const UnsplitMatch match = match_never_split(text, begin, false);
    return match.value == DoubleArrayTrie::kNoValue && can_strip ? match_never_split(text, begin, true) : match;
  }
  UnsplitMatch match_never_split(std::u16string_view text, size_t begin, bool decompose) const;
  void fill(std::u16string_view text, size_t begin, const UnsplitMatch& match, WordBuffer& word) const;

  // Emits the words from `i` to the next white space or Chinese character and moves `i` there. A Chinese character at
  // `i` is a word of its own. False: the sink wants no more.
  template <typename Sink>
  bool split_word(std::u16string_view text, size_t& i, WordBuffer& word, Sink& sink) const {
    const size_t begin = i;
    while (i < text.size()) {
      if (text[i] < 0x80) {
        const AsciiEntry entry = ascii_[text[i]];
        if (entry.role == AsciiRole::kLetter) {
          word.append(static_cast<char32_t>(entry.lowered), span_at(i, 1));
        } else if (entry.role == AsciiRole::kPunctuation) {
          if (!emit_punctuation(static_cast<char32_t>(text[i]), span_at(i, 1), word, sink)) return false;
        } else if (entry.role == AsciiRole::kSpace) {
          break;
        }
        i += 1;
        continue;
      }
      const auto [c, length] = unicode::decode_utf16(text, i);
      const uint16_t record = unicode::record(c);
      const BertNormalizer::Role role = normalizer_.role(record);
      if (role == BertNormalizer::Role::kSpace) break;
      if (role == BertNormalizer::Role::kIsolated && i != begin) break;
      if (role != BertNormalizer::Role::kDropped && !append(c, record, span_at(i, length), word, sink)) return false;
      i += length;
      if (role == BertNormalizer::Role::kIsolated) break;
    }
    return emit(word, sink);
  }

  template <typename Sink>
  bool append(char32_t c, uint16_t record, Span origin, WordBuffer& word, Sink& sink) const {
    bool wanted = true;
    const bool strip = normalizer_.options().strip_accents;
    bool is_first = true;
    normalizer_.map(c, record, strip, [&](char32_t part, uint16_t part_record) {
      if (strip && normalizer_.may_be_mark(part_record)) {
        append_mark(part, part_record, origin, is_first, word);
      } else if (normalizer_.is_punctuation(part_record)) {
        wanted = wanted && emit_punctuation(part, origin, word, sink);
      } else {
        word.append(part, origin);
      }
      is_first = false;
    });
    return wanted;
  }

  // `is_first` of what a character of the text became.
  void append_mark(char32_t c, uint16_t record, Span origin, bool is_first, WordBuffer& word) const {
    const int rank = normalizer_.combining_rank(c);
    const bool dropped = normalizer_.is_nonspacing_mark(record);
    if (rank != 0) {
      word.append_mark({c, rank, origin, is_first, dropped});
    } else if (dropped) {
      word.settle_marks();
    } else {
      word.append(c, origin);
    }
  }

  template <typename Sink>
  bool emit_punctuation(char32_t c, Span origin, WordBuffer& word, Sink& sink) const {
    if (!emit(word, sink)) return false;
    word.append(c, origin);
    return emit(word, sink);
  }

  template <typename Sink>
  bool emit(WordBuffer& word, Sink& sink) const {
    word.settle_marks();
    if (word.empty()) return true;
    const bool may_be_listed = !never_split_.empty() && !word.too_long();
    const bool wanted = sink(static_cast<const WordBuffer&>(word),
                             may_be_listed ? never_split_.find(word.bytes()) : DoubleArrayTrie::kNoValue);
    word.clear();
    return wanted;
  }

  BertNormalizer normalizer_;
  DoubleArrayTrie never_split_;
  std::array<AsciiEntry, 128> ascii_;
  std::bitset<256> never_split_starts_;
  bool cuts_at_punctuation_ = true;
};

}  // namespace bert_native
