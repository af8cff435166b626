#include "tokenizer/pre_tokenizers/byte_level.h"

#include <string>
#include <utility>

#include "tokenizer/pre_tokenizers/split.h"

namespace bert_native {

namespace {

struct CodePointText {
  std::u32string_view code_points;

  char32_t at(size_t i) const { return code_points[i]; }
  static size_t next(size_t i) { return i + 1; }
};

class ByteLevelPreTokenizer : public PreTokenizer {
 public:
  ByteLevelPreTokenizer(bool add_prefix_space, bool use_regex)
      : add_prefix_space_(add_prefix_space), use_regex_(use_regex) {}

  void pre_tokenize(PreTokenizedText& text) const override {
    PreTokenizedText made;
    std::u32string prefixed;
    for (const Range& piece : text.pieces) {
      const std::u32string_view whole = std::u32string_view(text.text.code_points).substr(piece.begin);
      const std::u32string_view words = whole.substr(0, piece.end - piece.begin);
      const Span* origins = text.text.origins.data() + piece.begin;
      if (add_prefix_space_ && words.front() != U' ') {
        prefixed.assign(1, U' ').append(words);
        append_words(
            prefixed, [&](size_t i) { return origins[i == 0 ? 0 : i - 1]; }, made);
      } else {
        append_words(
            words, [&](size_t i) { return origins[i]; }, made);
      }
    }
    text = std::move(made);
  }

 private:
  template <typename OriginOf>
  void append_words(std::u32string_view words, OriginOf&& origin_of, PreTokenizedText& made) const {
    for (size_t begin = 0; begin < words.size();) {
      const size_t end = use_regex_ ? byte_level_word_end(CodePointText{words}, begin, words.size()) : words.size();
      const size_t made_begin = made.text.size();
      for (size_t i = begin; i < end; ++i) append_bytes(words[i], origin_of(i), made.text);
      made.pieces.push_back({made_begin, made.text.size()});
      begin = end;
    }
  }

  static void append_bytes(char32_t c, Span origin, NormalizedText& text) {
    char bytes[unicode::kMaxUtf8Bytes];
    const size_t size = unicode::encode_utf8(c, bytes);
    for (size_t i = 0; i < size; ++i) {
      text.code_points.push_back(byte_level_alphabet()[static_cast<unsigned char>(bytes[i])]);
      text.origins.push_back(origin);
    }
  }

  bool add_prefix_space_, use_regex_;
};

// Bytes that are visible in Latin-1 stand for themselves, the others are counted up from U+0100.
std::array<char32_t, 256> make_alphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < alphabet.size(); ++byte) {
    const bool visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
    alphabet[byte] = visible ? byte : next++;
  }
  return alphabet;
}

}  // namespace

const std::array<char32_t, 256>& byte_level_alphabet() {
  static const std::array<char32_t, 256> alphabet = make_alphabet();
  return alphabet;
}

PreTokenizerPointer make_byte_level_pre_tokenizer(bool add_prefix_space, bool use_regex) {
  return std::make_unique<ByteLevelPreTokenizer>(add_prefix_space, use_regex);
}

}  // namespace bert_native
