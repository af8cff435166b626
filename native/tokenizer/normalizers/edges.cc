#include <cstddef>
#include <utility>

#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace bert_native {

// The normalizers that look at the ends of a text.

namespace {

class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}

  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    size_t end = text.size();
    while (right_ && end > 0 && unicode::is_white_space(text.code_points[end - 1])) --end;
    text.code_points.resize(end);
    text.origins.resize(end);
    size_t begin = 0;
    while (left_ && begin < end && unicode::is_white_space(text.code_points[begin])) ++begin;
    if (begin == 0) return;
    text.code_points.erase(0, begin);
    text.origins.erase(text.origins.begin(), text.origins.begin() + static_cast<std::ptrdiff_t>(begin));
  }

 private:
  bool left_;
  bool right_;
};

class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(std::u32string prefix) : prefix_(std::move(prefix)) {}

  // The prefix takes the first code point's place, which is new behind it: with an empty prefix it comes from nowhere.
  void normalize(NormalizedText& text) const override {
    if (text.size() == 0) return;
    const Span origin = prefix_.empty() ? Span{text.start, text.start} : text.origins.front();
    text.origins.front() = origin;
    text.code_points.insert(0, prefix_);
    text.origins.insert(text.origins.begin(), prefix_.size(), origin);
  }

 private:
  std::u32string prefix_;
};

}  // namespace

NormalizerPointer make_strip_normalizer(bool left, bool right) {
  return std::make_unique<StripNormalizer>(left, right);
}

NormalizerPointer make_prepend_normalizer(std::u32string prefix) {
  return std::make_unique<PrependNormalizer>(std::move(prefix));
}

}  // namespace bert_native
