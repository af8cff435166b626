#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check_throws.h"
#include "common/errors.h"
#include "harness.h"
#include "tokenizer/normalizers/bert.h"
#include "tokenizer/normalizers/character_map.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/unicode.h"

namespace bert_native::test {

namespace {

// A code point and where it is to come from.
struct Expected {
  char32_t code_point;
  Span origin;
};

std::string describe(const NormalizedText& text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    result += std::to_string(static_cast<uint32_t>(text.code_points[i])) + "@" + std::to_string(text.origins[i].start) +
              "-" + std::to_string(text.origins[i].end) + " ";
  }
  return result;
}

void check_equal(const NormalizedText& text, const std::vector<Expected>& expected) {
  BN_CHECK(text.size() == expected.size() && text.origins.size() == expected.size(), describe(text));
  for (size_t i = 0; i < expected.size(); ++i) {
    const bool equal = text.code_points[i] == expected[i].code_point && text.origins[i] == expected[i].origin;
    BN_CHECK(equal, "at " + std::to_string(i) + ": " + describe(text));
  }
}

void check_normalizes(const NormalizerPointer& normalizer, std::u16string_view text,
                      const std::vector<Expected>& expected) {
  NormalizedText normalized = to_normalized_text(text, 0, text.size());
  normalizer->normalize(normalized);
  check_equal(normalized, expected);
}

// Every occurrence of one code point.
class CodePointPattern : public Pattern {
 public:
  explicit CodePointPattern(char32_t wanted) : wanted_(wanted) {}
  void find_all(std::u32string_view text, std::vector<Range>& matches) const override {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == wanted_) matches.push_back({i, i + 1});
    }
  }

 private:
  char32_t wanted_;
};

// The map of one rule: `key` becomes "xy".
std::vector<uint32_t> trie_of(unsigned char key) {
  std::vector<uint32_t> trie(0x400, 0);
  trie[0] = 0x100u << 10;  // the root's children
  trie[0x100 ^ key] = key | 1u << 8 | (0x300u ^ (0x100u ^ key)) << 10;
  trie[0x300] = 0x80000000u;  // its value: position 0
  return trie;
}

void add_rewriter_tests() {
  add("normalizers/rewriter: what is new comes from where the text before it came from", [] {
    NormalizedText text = to_normalized_text(u"__abc", 2, 5);
    TextRewriter rewriter(text);
    rewriter.insert(U'1');
    rewriter.keep(1);
    rewriter.insert(U'2');
    rewriter.drop(1);
    rewriter.insert(U'3');
    rewriter.replace(U'4');
    rewriter.finish();
    check_equal(text, {{U'1', {2, 2}}, {U'a', {2, 3}}, {U'2', {2, 3}}, {U'3', {3, 4}}, {U'4', {4, 5}}});
  });
  add("normalizers/rewriter: more replacements than there are code points are new ones", [] {
    NormalizedText text = to_normalized_text(u"a", 0, 1);
    TextRewriter rewriter(text);
    rewriter.put(U'1', -5);
    rewriter.put(U'2', -5);
    rewriter.finish();
    check_equal(text, {{U'1', {0, 1}}, {U'2', {0, 1}}});
  });
  add("normalizers/rewriter: a lone surrogate is U+FFFD, a pair one code point of two units", [] {
    const std::u16string text = {0xd800, u'a', 0xd83d, 0xde00};
    check_equal(to_normalized_text(text, 0, text.size()), {{0xfffd, {0, 1}}, {U'a', {1, 2}}, {0x1f600, {2, 4}}});
  });
}

void add_unicode_form_tests() {
  add("normalizers/forms: parts of a character come from the character", [] {
    check_normalizes(make_unicode_normalizer(UnicodeForm::kNfd), u"a\u00e9\ud55cb",
                     {{U'a', {0, 1}},
                      {U'e', {1, 2}},
                      {0x301, {1, 2}},
                      {0x1112, {2, 3}},
                      {0x1161, {2, 3}},
                      {0x11ab, {2, 3}},
                      {U'b', {3, 4}}});
    check_normalizes(make_unicode_normalizer(UnicodeForm::kNfkd), u"\ufb01", {{U'f', {0, 1}}, {U'i', {0, 1}}});
  });
  add("normalizers/forms: a composite comes from its first part", [] {
    check_normalizes(make_unicode_normalizer(UnicodeForm::kNfc), u"xe\u0301\u1112\u1161\u11aby",
                     {{U'x', {0, 1}}, {0xe9, {1, 2}}, {0xd55c, {3, 4}}, {U'y', {6, 7}}});
  });
  add("normalizers/forms: marks change places, what is counted does not", [] {
    check_normalizes(make_unicode_normalizer(UnicodeForm::kNfkc), u"a\u0344\u0323b",
                     {{0x1ea1, {0, 1}}, {0x308, {2, 3}}, {0x301, {2, 3}}, {U'b', {3, 4}}});
  });
  add("normalizers/forms: starters that compose with what stands before them", [] {
    const auto nfc = make_unicode_normalizer(UnicodeForm::kNfc);
    check_normalizes(nfc, u"\u09c7\u09be", {{0x9cb, {0, 1}}});
    check_normalizes(nfc, u"\u09c7\u09be\u09be", {{0x9cb, {0, 1}}, {0x9be, {2, 3}}});
  });
  add("normalizers/forms: blocked marks do not compose", [] {
    check_normalizes(make_unicode_normalizer(UnicodeForm::kNfc), u"a\u0334\u0300\u0300",
                     {{0xe0, {0, 1}}, {0x334, {2, 3}}, {0x300, {3, 4}}});
    check_normalizes(make_unicode_normalizer(UnicodeForm::kNfc), u"a\u0302\u0302", {{0xe2, {0, 1}}, {0x302, {2, 3}}});
  });
}

void add_character_normalizer_tests() {
  add("normalizers/characters: lower case, accents, translation, bytes", [] {
    check_normalizes(make_lowercase_normalizer(), u"A\u0130\u03a3",
                     {{U'a', {0, 1}}, {U'i', {1, 2}}, {0x307, {1, 2}}, {0x3c3, {2, 3}}});
    check_normalizes(make_strip_accents_normalizer(), u"\u0301a\u0903b", {{U'a', {1, 2}}, {U'b', {3, 4}}});
    check_normalizes(make_nmt_normalizer(), u"\u0001a\u200b\u008f", {{U'a', {1, 2}}, {U' ', {2, 3}}});
    check_normalizes(make_byte_level_normalizer(), u"a \u00e9",
                     {{U'a', {0, 1}}, {0x120, {1, 2}}, {0xc3, {2, 3}}, {0xa9, {2, 3}}});
  });
  add("normalizers/edges: strip and prepend", [] {
    check_normalizes(make_strip_normalizer(true, false), u"\u3000 a ", {{U'a', {2, 3}}, {U' ', {3, 4}}});
    check_normalizes(make_strip_normalizer(true, true), u" \u2028", {});
    check_normalizes(make_prepend_normalizer(U"__"), u"ab",
                     {{U'_', {0, 1}}, {U'_', {0, 1}}, {U'a', {0, 1}}, {U'b', {1, 2}}});
    check_normalizes(make_prepend_normalizer(U"__"), u"", {});
  });
  add("normalizers/replace: content comes from the last character that it replaces", [] {
    const auto replace = [](std::u32string content) {
      return make_replace_normalizer(std::make_unique<CodePointPattern>(U'a'), std::move(content));
    };
    check_normalizes(replace(U"xy"), u"abba",
                     {{U'x', {0, 1}}, {U'y', {0, 1}}, {U'b', {1, 2}}, {U'b', {2, 3}}, {U'x', {3, 4}}, {U'y', {3, 4}}});
    check_normalizes(replace(U""), u"aba", {{U'b', {1, 2}}});
  });
  add("normalizers/bert: the steps of the Rust library", [] {
    const auto normalizer = make_bert_normalizer({});
    check_normalizes(normalizer, u"\u0001\u4eac\u00c9\u00a0",
                     {{U' ', {1, 2}}, {0x4eac, {1, 2}}, {U' ', {1, 2}}, {U'e', {2, 3}}, {U' ', {3, 4}}});
    check_normalizes(normalizer, u"\U0002b820\uffff\ufffd", {{0x2b820, {0, 2}}, {0xffff, {2, 3}}});
  });
}

void add_character_map_tests() {
  add("normalizers/precompiled: a cluster becomes what its beginning stands for", [] {
    const auto normalizer = make_precompiled_normalizer(trie_of('A'), std::string("xy\0", 3));
    check_normalizes(normalizer, u"bAA\u0301b",
                     {{U'b', {0, 1}}, {U'x', {1, 2}}, {U'y', {1, 2}}, {U'x', {2, 3}}, {U'y', {3, 4}}, {U'b', {4, 5}}});
    // Of a cluster of six bytes each character is looked up by itself.
    check_normalizes(normalizer, u"A\u0301\u20dd", {{U'x', {0, 1}}, {U'y', {0, 1}}, {0x301, {1, 2}}, {0x20dd, {2, 3}}});
  });
  add("normalizers/precompiled: what disappears belongs to what stands before it", [] {
    const auto normalizer = make_precompiled_normalizer(trie_of('A'), std::string(1, '\0'));
    check_normalizes(normalizer, u"bAc", {{U'b', {0, 1}}, {U'c', {2, 3}}});
    // Before it stands nothing: what follows takes its origin, as in the Rust library.
    check_normalizes(normalizer, u"Abc", {{U'b', {0, 1}}, {U'c', {1, 2}}});
  });
  add("normalizers/precompiled: a trie that points anywhere is read inside its bounds", [] {
    std::mt19937 random(5);
    for (int round = 0; round < 50; ++round) {
      std::vector<uint32_t> trie(1 + random() % 2000);
      for (size_t i = 0; i < trie.size(); ++i) trie[i] = (random() & ~0x800000ffu) | (i & 0xff);
      const CharacterMap map(trie, "ab\u00e9");
      for (char32_t c = 0; c < 0x11000; ++c) {
        char bytes[unicode::kMaxUtf8Bytes];
        const std::string_view text(bytes, unicode::encode_utf8(c, bytes));
        const auto found = map.find(text);
        BN_CHECK(found.has_value() == map.maps(c), "at " + std::to_string(static_cast<uint32_t>(c)));
        BN_CHECK(!found || unicode::is_utf8(*found), "not UTF-8");
      }
    }
  });
  add("normalizers/precompiled: what is no map is refused", [] {
    check_throws(ErrorCode::kOption, "trie of a precompiled character map is empty",
                 [] { make_precompiled_normalizer({}, ""); });
    check_throws(ErrorCode::kOption, "not well-formed UTF-8", [] { make_precompiled_normalizer({0}, "\xff"); });
  });
}

void add_grapheme_tests() {
  add("unicode/graphemes: clusters end where annex 29 says", [] {
    const std::vector<std::u32string> clusters = {U"\r\n",
                                                  U"\n",
                                                  U"a\u0301\u0308",
                                                  U"\u1100\u1161\u11a8",
                                                  U"\uac00\u11a8",
                                                  U"\uac01",
                                                  U"\uac00",
                                                  U"\U0001f1e6\U0001f1e7",
                                                  U"\U0001f1e6",
                                                  U"\U0001f469\U0001f3fd\u200d\U0001f680",
                                                  U"\u0915\u094d\u0937",
                                                  U"\u0600x",
                                                  U"x\u0903",
                                                  U"\u200b",
                                                  U"\u0301"};
    std::u32string text;
    for (const std::u32string& cluster : clusters) text += cluster;
    size_t begin = 0;
    for (const std::u32string& cluster : clusters) {
      const size_t end = unicode::grapheme_end(text, begin);
      BN_CHECK(end - begin == cluster.size(),
               "cluster at " + std::to_string(begin) + " ends at " + std::to_string(end));
      begin = end;
    }
  });
  add("unicode/categories: sets, scripts, compositions", [] {
    BN_CHECK(unicode::general_category(U'\u01c5') == unicode::Category::kLt, "category");
    BN_CHECK(unicode::is_letter(U'\u4e00') && unicode::is_alphabetic(U'\u0345') && !unicode::is_letter(U'\u0345'), "L");
    BN_CHECK(unicode::is_numeric(U'\u00bd') && unicode::is_numeric(U'\u2160') && !unicode::is_numeric(U'a'), "N");
    BN_CHECK(unicode::script(U'\u30fc') == unicode::Script::kCommon, "script");
    BN_CHECK(unicode::script(U'\U0001fa70') == unicode::Script::kAny, "script of what Unicode 9 did not have");
    BN_CHECK(unicode::compose(U'a', U'\u0301') == U'\u00e1' && unicode::compose(U'a', U'b') == 0, "compose");
  });
}

void add_normalizers_file_tests() {
  add_rewriter_tests();
  add_unicode_form_tests();
  add_character_normalizer_tests();
  add_character_map_tests();
  add_grapheme_tests();
}

const Registration registration(add_normalizers_file_tests);

}  // namespace

}  // namespace bert_native::test
