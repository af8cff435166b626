#include <utility>

#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace bert_native {

namespace {

// SentencePiece's way: spaces become a visible character, which begins every word.
class MetaspacePreTokenizer : public PreTokenizer {
 public:
  MetaspacePreTokenizer(char32_t replacement, PrependScheme scheme, bool split)
      : replacement_(replacement), scheme_(scheme), split_(split) {}

  void pre_tokenize(PreTokenizedText& text) const override {
    PreTokenizedText made;
    made.text.code_points.reserve(text.text.size() + text.pieces.size());
    made.text.origins.reserve(text.text.size() + text.pieces.size());
    for (const Range& piece : text.pieces) append_piece(text.text, piece, made);
    text = std::move(made);
  }

  // Another character might begin a word by itself, which then gets no prefix where it stands first.
  bool cuts_at_spaces() const override {
    constexpr char32_t kUsual = U'▁';
    return split_ && scheme_ == PrependScheme::kAlways && replacement_ == kUsual;
  }
  bool looks_at_position() const override { return scheme_ == PrependScheme::kFirst; }

 private:
  void append_piece(const NormalizedText& text, Range piece, PreTokenizedText& made) const {
    const size_t begin = made.text.size();
    if (gets_prefix(text, piece)) append(replacement_, text.origins[piece.begin], made.text);
    for (size_t i = piece.begin; i < piece.end; ++i) {
      append(replaced(text.code_points[i]), text.origins[i], made.text);
    }
    size_t word = begin;
    for (size_t i = begin + 1; split_ && i < made.text.size(); ++i) {
      if (made.text.code_points[i] != replacement_) continue;
      made.pieces.push_back({word, i});
      word = i;
    }
    made.pieces.push_back({word, made.text.size()});
  }

  bool gets_prefix(const NormalizedText& text, Range piece) const {
    if (scheme_ == PrependScheme::kNever || replaced(text.code_points[piece.begin]) == replacement_) return false;
    return scheme_ == PrependScheme::kAlways || text.origins[piece.begin].start == 0;
  }

  char32_t replaced(char32_t c) const { return c == U' ' ? replacement_ : c; }

  static void append(char32_t c, Span origin, NormalizedText& text) {
    text.code_points.push_back(c);
    text.origins.push_back(origin);
  }

  char32_t replacement_;
  PrependScheme scheme_;
  bool split_;
};

}  // namespace

PreTokenizerPointer make_metaspace_pre_tokenizer(char32_t replacement, PrependScheme scheme, bool split) {
  return std::make_unique<MetaspacePreTokenizer>(replacement, scheme, split);
}

}  // namespace bert_native
