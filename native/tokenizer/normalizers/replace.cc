#include <algorithm>
#include <utility>
#include <vector>

#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(PatternPointer pattern, std::u32string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  bool keeps_words_apart() const override {
    if (pattern_->may_match_around_space()) return false;
    // Nothing but longer runs of spaces may become nothing, or white space.
    return pattern_->matches_spaces_alone() ||
           (!content_.empty() && std::none_of(content_.begin(), content_.end(), unicode::is_white_space));
  }

  void normalize(NormalizedText& text) const override {
    std::vector<Range> matches;
    pattern_->find_all(text.code_points, matches);
    if (matches.empty()) return;
    TextRewriter rewriter(text);
    for (const Range& match : matches) {
      rewriter.keep(match.begin - rewriter.position());
      rewriter.drop(match.end - match.begin);
      for (const char32_t c : content_) rewriter.insert(c);
    }
    rewriter.keep(text.size() - rewriter.position());
    rewriter.finish();
  }

 private:
  PatternPointer pattern_;
  std::u32string content_;
};

}  // namespace

NormalizerPointer make_replace_normalizer(PatternPointer pattern, std::u32string content) {
  return std::make_unique<ReplaceNormalizer>(std::move(pattern), std::move(content));
}

}  // namespace bert_native
