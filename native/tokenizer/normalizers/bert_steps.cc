#include "tokenizer/normalizers/bert.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

// BertNormalizer of the Rust library, one step after the other over the whole text. It keeps unassigned code points and
// knows fewer Chinese ones than the original BERT, which BertNormalizer of bert.h follows.
class BertStepsNormalizer : public Normalizer {
 public:
  explicit BertStepsNormalizer(const BertNormalizerOptions& options) : options_(options) {}

  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    if (options_.clean_text) clean(text);
    if (options_.handle_chinese_chars) isolate_chinese(text);
    if (options_.strip_accents) {
      decompose_->normalize(text);
      erase_if(text, [](char32_t c) { return c >= 0x80 && (unicode::record(c) & unicode::kNonspacingMark) != 0; });
    }
    if (options_.lowercase) lowercase_->normalize(text);
  }

 private:
  static constexpr unicode::CategorySet kControls = unicode::category_set(
      unicode::Category::kCc, unicode::Category::kCf, unicode::Category::kCs, unicode::Category::kCo);

  static void clean(NormalizedText& text) {
    erase_if(text, is_removed);
    for (char32_t& c : text.code_points) {
      if (unicode::is_white_space(c)) c = U' ';
    }
  }

  static bool is_removed(char32_t c) {
    if (c == U'\t' || c == U'\n' || c == U'\r') return false;
    return c == 0xfffd || unicode::is_in(kControls, c);
  }

  static bool is_chinese(char32_t c) {
    const bool later = c >= 0x2b820 && c <= 0x2b91f;
    return !later && (unicode::record(c) & unicode::kChinese) != 0;
  }

  static void isolate_chinese(NormalizedText& text) {
    size_t i = next_chinese(text, 0);
    if (i == text.size()) return;
    TextRewriter rewriter(text);
    for (; i < text.size(); i = next_chinese(text, i + 1)) {
      rewriter.keep(i - rewriter.position());
      rewriter.replace(U' ');
      rewriter.insert(text.code_points[i]);
      rewriter.insert(U' ');
    }
    rewriter.keep(text.size() - rewriter.position());
    rewriter.finish();
  }

  static size_t next_chinese(const NormalizedText& text, size_t i) {
    while (i < text.size() && !is_chinese(text.code_points[i])) ++i;
    return i;
  }

  BertNormalizerOptions options_;
  NormalizerPointer decompose_ = make_unicode_normalizer(UnicodeForm::kNfd);
  NormalizerPointer lowercase_ = make_lowercase_normalizer();
};

}  // namespace

NormalizerPointer make_bert_normalizer(const BertNormalizerOptions& options) {
  return std::make_unique<BertStepsNormalizer>(options);
}

}  // namespace bert_native
