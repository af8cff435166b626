#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/span.h"

namespace bert_native {

// A text on its way to tokens: code points, and for each of them where in the text it came from.
struct NormalizedText {
  std::u32string code_points;  // no surrogates: a lone one of the text is U+FFFD here
  std::vector<Span> origins;   // as many
  int32_t start = 0;           // where in the text all of it began: the origin of what has nothing before it
  // Code points that normalizers may make of it: a few lines of tokenizer.json can double a text any number of times.
  size_t most = std::numeric_limits<size_t>::max();

  size_t size() const { return code_points.size(); }
};

// text[begin, end); spans count from the start of `text`.
NormalizedText to_normalized_text(std::u16string_view text, size_t begin, size_t end);

// Drops the code points that `drops` picks.
template <typename Predicate>
void erase_if(NormalizedText& text, Predicate drops) {
  size_t i = 0;
  while (i < text.size() && !drops(text.code_points[i])) ++i;
  size_t kept = i;
  for (; i < text.size(); ++i) {
    if (drops(text.code_points[i])) continue;
    text.code_points[kept] = text.code_points[i];
    text.origins[kept++] = text.origins[i];
  }
  text.code_points.resize(kept);
  text.origins.resize(kept);
}

// Writes a text anew from left to right. What stands for what is counted as NormalizedString::transform of the Rust
// library tokenizers counts, also where that is odd.
class TextRewriter {
 public:
  explicit TextRewriter(NormalizedText& text);

  // The next `count` code points stay as they are.
  void keep(size_t count) {
    code_points_.append(text_.code_points, next_, count);
    origins_.insert(origins_.end(), text_.origins.data() + next_, text_.origins.data() + next_ + count);
    next_ += count;
  }

  // The next `count` code points disappear.
  void drop(size_t count) { next_ += count; }

  // `c` replaces the next code point.
  void replace(char32_t c) { put(c, 0); }

  // `c` is new, and has the origin of what stands before it in the old text.
  void insert(char32_t c) { put(c, 1); }

  // `change` 0: replaces the next code point; above 0: is new; -n: replaces the next one, and n more disappear.
  void put(char32_t c, int64_t change) {
    if (code_points_.size() >= text_.most) refuse_growth();
    code_points_.push_back(c);
    if (change > 0 || next_ >= text_.size()) {
      origins_.push_back(next_ > 0 ? text_.origins[next_ - 1] : Span{text_.start, text_.start});
    } else {
      origins_.push_back(text_.origins[next_]);
      next_ += std::min(text_.size() - next_, 1 + static_cast<size_t>(-change));
    }
  }

  // Where in the old text it is.
  size_t position() const { return next_; }

  // The old text becomes what was written; what is left of it disappears.
  void finish();

 private:
  [[noreturn]] void refuse_growth() const;

  NormalizedText& text_;
  size_t next_ = 0;
  std::u32string code_points_;
  std::vector<Span> origins_;
};

}  // namespace bert_native
