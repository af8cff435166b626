#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/span.h"

namespace bert_native {

// A text on its way to tokens: code points, and for each of them where in the text it came from.
struct NormalizedText {
  std::u32string code_points;  // no surrogates: a lone one of the text is U+FFFD here
  std::vector<Span> origins;   // as many

  size_t size() const { return code_points.size(); }
};

// text[begin, end); spans count from the start of `text`.
NormalizedText to_normalized_text(std::u16string_view text, size_t begin, size_t end);

// One code point of what a part of a text becomes, counted as NormalizedString::transform of the Rust library
// tokenizers counts: `change` 0 replaces the next code point of the part; 1 is new, and has the origin of what stands
// before it; -n replaces the next code point, and the n behind that one disappear.
struct Change {
  char32_t code_point = 0;
  int32_t change = 0;
};

// Replaces the code points [begin, end) by `changes`, whose first `removed` ones disappear before anything replaces
// them.
void transform(NormalizedText& text, size_t begin, size_t end, std::span<const Change> changes, size_t removed = 0);

// The whole of it.
inline void transform(NormalizedText& text, std::span<const Change> changes, size_t removed = 0) {
  transform(text, 0, text.size(), changes, removed);
}

}  // namespace bert_native
