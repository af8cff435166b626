#include "tokenizer/normalizers/bert.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

// BertNormalizer of the Rust library, one step after the other over the whole text: where offsets and other normalizers
// and pre-tokenizers need all of it. Always with its characters.
class BertStepsNormalizer : public Normalizer {
 public:
  explicit BertStepsNormalizer(const BertNormalizerOptions& options) : options_(options) {}

  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    if (options_.clean_text) clean(text);
    if (options_.handle_chinese_chars) isolate_chinese(text);
    if (options_.strip_accents) {
      decompose_->normalize(text);
      erase_if(text, [](char32_t c) { return c >= 0x80 && has(c, unicode::kRustNonspacingMark); });
    }
    if (options_.lowercase) lowercase_->normalize(text);
  }

 private:
  static bool has(char32_t c, uint16_t flag) { return (unicode::record(c) & flag) != 0; }

  static void clean(NormalizedText& text) {
    erase_if(text, [](char32_t c) { return has(c, unicode::kRustRemoved); });
    for (char32_t& c : text.code_points) {
      if (unicode::is_white_space(c)) c = U' ';
    }
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
    while (i < text.size() && !has(text.code_points[i], unicode::kRustChinese)) ++i;
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
