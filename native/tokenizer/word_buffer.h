#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/span.h"
#include "tokenizer/unicode.h"

namespace bert_native {

// One normalised word in UTF-8, and for each of its bytes the span of the text that it came from.
//
// A word of more than `max_code_points` code points is never looked up, so no more of it than that is stored: memory
// stays bounded whatever the text.
class WordBuffer {
 public:
  // `with_origins`: keep the span of every byte; else only the word's own span is known.
  WordBuffer(size_t max_code_points, bool with_origins)
      : max_code_points_(max_code_points), with_origins_(with_origins) {}

  // A code point of combining class 0.
  void append(char32_t c, Span origin) {
    settle_marks();
    store(c, origin);
  }

  // A code point of another combining class.
  struct Mark {
    char32_t code_point;
    int rank;  // orders the classes
    Span origin;
    bool is_first;  // of what a character of the text decomposed to
    bool dropped;   // does not belong to the word, but to the order
  };

  // The mark is put in canonical order among its neighbours of that kind (The Unicode Standard, section 3.11, D109).
  // Their origins are not: as in the Rust library tokenizers, marks that change places take over each other's.
  void append_mark(const Mark& mark);

  // Ends a sequence of marks: at the word's end, or where a character of class 0 stood that is no longer there.
  BN_ALWAYS_INLINE void settle_marks() {
    if (!marks_.empty()) store_marks();
  }

  void clear() {
    size_ = 0;
    code_points_ = 0;
    marks_.clear();
    kept_marks_ = 0;
  }

  // The following hold once the marks are settled.
  bool empty() const { return code_points_ == 0; }
  bool too_long() const { return code_points_ > max_code_points_; }
  // The first max_code_points at least.
  std::string_view bytes() const { return {bytes_.data(), size_}; }
  Span span() const { return span_; }
  // The span of bytes [begin, end), begin < end. Needs `with_origins`, and the word not too long.
  Span span_of(size_t begin, size_t end) const { return {origins_[begin].start, origins_[end - 1].end}; }

 private:
  BN_ALWAYS_INLINE void store(char32_t c, Span origin) {
    if (code_points_ == 0) span_.start = origin.start;
    span_.end = origin.end;
    if (code_points_ >= max_code_points_) {
      code_points_ = max_code_points_ + 1;
      return;
    }
    code_points_ += 1;
    if (bytes_.size() - size_ < unicode::kMaxUtf8Bytes) grow();
    const size_t begin = size_;
    size_ += unicode::encode_utf8(c, bytes_.data() + size_);
    if (with_origins_) {
      for (size_t i = begin; i < size_; ++i) origins_[i] = origin;
    }
  }

  void store_marks();
  void put_marks_in_order();
  void grow();

  size_t max_code_points_;
  bool with_origins_;
  std::vector<char> bytes_;
  std::vector<Span> origins_;  // one per byte
  size_t size_ = 0;
  size_t code_points_ = 0;  // stops at max_code_points + 1
  Span span_;
  std::vector<Mark> marks_;
  size_t kept_marks_ = 0;           // those of them that are not dropped
  std::vector<Span> mark_origins_;  // scratch
};

}  // namespace bert_native
