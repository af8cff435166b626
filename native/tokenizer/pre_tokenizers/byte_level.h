#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tokenizer/unicode.h"

namespace bert_native {

// GPT-2's alphabet: a visible character for every byte (Radford et al. 2019, encoder.py).
const std::array<char32_t, 256>& byte_level_alphabet();

// What GPT-2's pattern tells apart:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
enum class ByteLevelClass : uint8_t { kLetter, kNumber, kSpace, kOther };

BN_ALWAYS_INLINE ByteLevelClass byte_level_class(char32_t c) {
  const unsigned record = unicode::record(c);
  if (record & unicode::kPatternLetter) return ByteLevelClass::kLetter;
  if (record & unicode::kPatternNumber) return ByteLevelClass::kNumber;
  return record & unicode::kWhiteSpace ? ByteLevelClass::kSpace : ByteLevelClass::kOther;
}

// Behind the English contraction at `begin`, where an apostrophe stands; `begin` if there is none.
template <typename Text>
size_t contraction_end(const Text& text, size_t begin, size_t end) {
  const size_t second = begin + 1;
  if (second >= end) return begin;
  const char32_t a = text.at(second);
  if (a == U's' || a == U't' || a == U'm' || a == U'd') return second + 1;
  if (second + 1 >= end) return begin;
  const char32_t b = text.at(second + 1);
  const bool two = (a == U'r' && b == U'e') || (a == U'v' && b == U'e') || (a == U'l' && b == U'l');
  return two ? second + 2 : begin;
}

// The end of the match of GPT-2's pattern that starts at `begin`, which is before `end`; the pattern matches
// everywhere. `Text` gives code points: at(i) the one at i, next(i) the position behind it.
template <typename Text>
size_t byte_level_word_end(const Text& text, size_t begin, size_t end) {
  const char32_t first = text.at(begin);
  if (first == U'\'') {
    const size_t contraction = contraction_end(text, begin, end);
    if (contraction != begin) return contraction;
  }
  const auto run_end = [&](size_t from, ByteLevelClass wanted) {
    while (from < end && byte_level_class(text.at(from)) == wanted) from = text.next(from);
    return from;
  };
  const ByteLevelClass first_class = byte_level_class(first);
  if (first_class != ByteLevelClass::kSpace) return run_end(text.next(begin), first_class);
  const size_t second = text.next(begin);
  if (second == end) return end;
  const ByteLevelClass second_class = byte_level_class(text.at(second));
  if (second_class != ByteLevelClass::kSpace) {
    return first == U' ' ? run_end(text.next(second), second_class) : second;
  }
  // White space up to the last of it, which the next word may take along.
  size_t last = second;
  for (size_t i = text.next(second);; i = text.next(i)) {
    if (i == end) return end;
    if (byte_level_class(text.at(i)) != ByteLevelClass::kSpace) return last;
    last = i;
  }
}

}  // namespace bert_native
