#include <array>
#include <cstddef>

#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/unicode.h"

namespace bert_native {

// The normalizers that look at one code point at a time.

namespace {

// No context: a final sigma is like any other.
class LowercaseNormalizer : public Normalizer {
 public:
  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    bool longer = false;
    for (char32_t& c : text.code_points) {
      if (c < 0x80) {
        c += c - U'A' < 26 ? U'a' - U'A' : 0;
      } else if (unicode::record(c) & unicode::kLowercases) {
        const unicode::CodePoints lower = unicode::lowercase_mapping(c);
        if (lower.size() == 1) {
          c = lower.front();
        } else {
          longer = true;
        }
      }
    }
    if (longer) lengthen(text);
  }

 private:
  // What is left: characters that become several.
  static void lengthen(NormalizedText& text) {
    TextRewriter rewriter(text);
    for (const char32_t c : text.code_points) {
      if (!(unicode::record(c) & unicode::kLowercases)) {
        rewriter.replace(c);
        continue;
      }
      const unicode::CodePoints lower = unicode::lowercase_mapping(c);
      rewriter.replace(lower.front());
      for (const char32_t more : lower.substr(1)) rewriter.insert(more);
    }
    rewriter.finish();
  }
};

class StripAccentsNormalizer : public Normalizer {
 public:
  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    constexpr char32_t kFirstMark = 0x300;
    erase_if(text, [](char32_t c) { return c >= kFirstMark && unicode::is_mark_in_forms(c); });
  }
};

// What SentencePiece's rules for neural machine translation do beside NFKC.
class NmtNormalizer : public Normalizer {
 public:
  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    erase_if(text, is_removed);
    for (char32_t& c : text.code_points) {
      if (is_space(c)) c = U' ';
    }
  }

 private:
  static bool is_removed(char32_t c) {
    if (c > 0x9f) return false;
    return (c >= 0x1 && c <= 0x8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
  }

  static bool is_space(char32_t c) {
    if (c < 0x1680) return c == 0x9 || c == 0xa || c == 0xc || c == 0xd;
    return c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff ||
           c == 0xfffd;
  }
};

// Every byte of the text's UTF-8 becomes a visible character.
class ByteLevelNormalizer : public Normalizer {
 public:
  bool keeps_words_apart() const override { return true; }

  void normalize(NormalizedText& text) const override {
    const std::array<char32_t, 256>& alphabet = byte_level_alphabet();
    TextRewriter rewriter(text);
    for (const char32_t c : text.code_points) {
      char bytes[unicode::kMaxUtf8Bytes];
      const size_t size = unicode::encode_utf8(c, bytes);
      for (size_t i = 0; i < size; ++i) rewriter.put(alphabet[static_cast<unsigned char>(bytes[i])], i == 0 ? 0 : 1);
    }
    rewriter.finish();
  }
};

}  // namespace

NormalizerPointer make_lowercase_normalizer() { return std::make_unique<LowercaseNormalizer>(); }
NormalizerPointer make_strip_accents_normalizer() { return std::make_unique<StripAccentsNormalizer>(); }
NormalizerPointer make_nmt_normalizer() { return std::make_unique<NmtNormalizer>(); }
NormalizerPointer make_byte_level_normalizer() { return std::make_unique<ByteLevelNormalizer>(); }

}  // namespace bert_native
