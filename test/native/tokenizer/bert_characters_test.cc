#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "harness.h"
#include "tokenizer/normalizers/bert.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/unicode.h"

namespace bert_native::test {

namespace {

std::string hexadecimal(char32_t c) {
  std::string digits;
  for (int shift = 20; shift >= 0; shift -= 4) digits += "0123456789ABCDEF"[(c >> shift) & 15];
  return "U+" + digits;
}

size_t count_of(uint16_t flag) {
  size_t count = 0;
  for (char32_t c = 0; c <= unicode::kLastCodePoint; ++c) count += (unicode::record(c) & flag) != 0;
  return count;
}

// The code points of all words, and of each where it came from.
struct Words {
  std::vector<std::u32string> words;
  std::vector<Span> origins;

  bool operator==(const Words&) const = default;
};

Words words_in_one_pass(const BertPreTokenizer& pre_tokenizer, std::u16string_view text) {
  Words result;
  WordBuffer buffer(1000, true);
  pre_tokenizer.split(text, 0, buffer, [&](const WordBuffer& word, int32_t) {
    std::u32string& code_points = result.words.emplace_back();
    for (size_t i = 0; i < word.bytes().size();) {
      const unicode::DecodedBytes decoded = unicode::decode_utf8(word.bytes().substr(i));
      if (decoded.length == 0) break;
      code_points.push_back(decoded.code_point);
      result.origins.push_back(word.span_of(i, i + decoded.length));
      i += decoded.length;
    }
    return true;
  });
  return result;
}

Words words_in_steps(const Normalizer& normalizer, const PreTokenizer& pre_tokenizer, std::u16string_view text) {
  PreTokenizedText cut{to_normalized_text(text, 0, text.size()), {}};
  normalizer.normalize(cut.text);
  if (cut.text.size() > 0) cut.pieces.push_back({0, cut.text.size()});
  pre_tokenizer.pre_tokenize(cut);
  Words result;
  for (const Range& piece : cut.pieces) {
    result.words.push_back(cut.text.code_points.substr(piece.begin, piece.end - piece.begin));
    for (size_t i = piece.begin; i < piece.end; ++i) result.origins.push_back(cut.text.origins[i]);
  }
  return result;
}

// Marks of classes 230, 220, 9 and 240, one with a canonical decomposition into two.
constexpr std::u32string_view kMarks = U"\u0301\u0323\u1b44\u0345\u0344";

// `c` where another character may have a say about it.
std::u16string in_contexts(char32_t c) {
  std::u32string text{c, U' ', U'a', c, U'b', U' ', c, c, U' ', U'.', c, U'.', U' ', U'\u4e00', c, U'\u4e00'};
  for (const char32_t first : kMarks) {
    for (const char32_t second : kMarks) {
      for (const char32_t part : {U' ', U'e', first, c, second}) text.push_back(part);
    }
  }
  return unicode::to_utf16(text);
}

void add_flag_tests() {
  add("tokenizer/bert characters: those of the Rust library are of old versions of Unicode", [] {
    const auto has = [](char32_t c, uint16_t flag) { return (unicode::record(c) & flag) != 0; };
    // Unassigned; a format character since Unicode 9.0.
    for (const char32_t c : {char32_t{0x378}, char32_t{0x8e2}}) {
      BN_CHECK(has(c, unicode::kRemoved) && !has(c, unicode::kRustRemoved), hexadecimal(c));
    }
    for (const char32_t c : {char32_t{0}, char32_t{0xad}, char32_t{0xe000}, char32_t{0xfffd}}) {
      BN_CHECK(has(c, unicode::kRemoved) && has(c, unicode::kRustRemoved), hexadecimal(c));
    }
    for (const char32_t c : {U'\t', U'\n', U'\r'}) BN_CHECK(!has(c, unicode::kRustRemoved), hexadecimal(c));
    BN_CHECK(has(0x2b820, unicode::kChinese) && !has(0x2b820, unicode::kRustChinese), "U+2B820");
    BN_CHECK(has(0x2b920, unicode::kChinese) && has(0x2b920, unicode::kRustChinese), "U+2B920");
    BN_CHECK(has(0x2e52, unicode::kPunctuation) && !has(0x2e52, unicode::kRustPunctuation), "U+2E52");
    BN_CHECK(!has(0x166d, unicode::kPunctuation) && has(0x166d, unicode::kRustPunctuation), "U+166D");
    BN_CHECK(has(0x10d24, unicode::kNonspacingMark) && !has(0x10d24, unicode::kRustNonspacingMark), "U+10D24");
    BN_CHECK(!has(0x1734, unicode::kNonspacingMark) && has(0x1734, unicode::kRustNonspacingMark), "U+1734");
    BN_CHECK(unicode::is_word_character(0x1c89) && !unicode::is_word_character(0x88f), "\\w");
  });
  add("tokenizer/bert characters: how many there are", [] {
    constexpr size_t kSurrogates = 0x800;
    BN_CHECK(count_of(unicode::kRustRemoved) == 137681 + kSurrogates, std::to_string(count_of(unicode::kRustRemoved)));
    BN_CHECK(count_of(unicode::kRustChinese) == 81264, std::to_string(count_of(unicode::kRustChinese)));
    BN_CHECK(count_of(unicode::kRustPunctuation) == 726, std::to_string(count_of(unicode::kRustPunctuation)));
    BN_CHECK(count_of(unicode::kRustNonspacingMark) == 1567, std::to_string(count_of(unicode::kRustNonspacingMark)));
  });
  add("tokenizer/bert characters: normalization forms are of Unicode 12", [] {
    // Todhri came with Unicode 16.
    BN_CHECK((unicode::record(0x105c9) & unicode::kDecomposes) && !unicode::decomposes_in_forms(0x105c9), "U+105C9");
    BN_CHECK(unicode::compose(0x105d2, 0x307) == 0 && unicode::compose(U'e', 0x301) == U'\u00e9', "compositions");
    BN_CHECK(unicode::combining_rank(0x1abf) != 0 && unicode::combining_rank_in_forms(0x1abf) == 0, "U+1ABF");
    BN_CHECK(unicode::combining_rank(0x301) == unicode::combining_rank_in_forms(0x301), "U+0301");
    BN_CHECK(unicode::combining_rank(0x323) < unicode::combining_rank(0x301), "classes 220 and 230");
    BN_CHECK(unicode::is_mark(0x1abf) && !unicode::is_mark_in_forms(0x1abf), "U+1ABF");
    BN_CHECK(!unicode::is_mark(0x1cf2) && unicode::is_mark_in_forms(0x1cf2), "U+1CF2");
  });
}

void add_comparison_tests() {
  add("tokenizer/bert characters: one pass over every code point gives what the steps give", [] {
    const auto pre_tokenizer = make_bert_pre_tokenizer();
    for (const unsigned round : {0b0000u, 0b1111u, 0b1101u, 0b0110u}) {
      const BertNormalizerOptions options{(round & 8) != 0, (round & 4) != 0, (round & 2) != 0, (round & 1) != 0,
                                          BertCharacters::kRust};
      const auto normalizer = make_bert_normalizer(options);
      const BertPreTokenizer one_pass(options, DoubleArrayTrie(std::vector<std::pair<std::string, int32_t>>{}));
      for (char32_t c = 0; c <= unicode::kLastCodePoint; ++c) {
        // Ideographs, private use and what is unassigned: the ends of a block stand for it.
        const bool is_uniform = unicode::record(c) == unicode::record(c ^ 1) && !unicode::normalization_flags(c);
        if (c >= 0x3400 && is_uniform && c % 16 != 0) continue;
        const std::u16string text = in_contexts(c);
        const Words found = words_in_one_pass(one_pass, text);
        const Words expected = words_in_steps(*normalizer, *pre_tokenizer, text);
        BN_CHECK(found.words == expected.words, hexadecimal(c) + " with options " + std::to_string(round));
        BN_CHECK(found.origins == expected.origins,
                 "origins of " + hexadecimal(c) + " with options " + std::to_string(round));
      }
    }
  });
}

void add_bert_characters_tests() {
  add_flag_tests();
  add_comparison_tests();
}

const Registration registration(add_bert_characters_tests);

}  // namespace

}  // namespace bert_native::test
