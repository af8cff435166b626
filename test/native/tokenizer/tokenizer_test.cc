#include "tokenizer/tokenizer.h"

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "harness.h"
#include "tokenizer/double_array_trie.h"
#include "tokenizer/flat.h"
#include "tokenizer/pipelines/bert.h"
#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/unicode.h"

namespace bert_native::test {

namespace {

using Entries = std::vector<std::pair<std::string, int32_t>>;

template <typename Body>
void check_throws(ErrorCode code, const std::string& part_of_message, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    BN_CHECK(error.code() == code, std::string("got ") + error_code_name(error.code()));
    BN_CHECK(std::string(error.what()).find(part_of_message) != std::string::npos, error.what());
    return;
  }
  BN_CHECK(false, "nothing was thrown");
}

std::string hex(const std::string& text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (const char byte : text) {
    digits += kDigits[static_cast<unsigned char>(byte) >> 4];
    digits += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return digits;
}

void trie_agrees_with_a_map(unsigned alphabet, size_t keys, size_t longest) {
  std::mt19937 random(alphabet + static_cast<unsigned>(keys));
  const auto random_key = [&] {
    std::string key(random() % (longest + 1), '\0');
    for (char& byte : key) byte = static_cast<char>(random() % alphabet);
    return key;
  };
  std::map<std::string, int32_t> expected;
  Entries entries;
  for (size_t i = 0; i < keys; ++i) {
    entries.emplace_back(random_key(), static_cast<int32_t>(i));
    if (!entries.back().first.empty()) expected[entries.back().first] = static_cast<int32_t>(i);
  }
  const DoubleArrayTrie trie(entries);
  for (const auto& [key, value] : expected) BN_CHECK(trie.find(key) == value, hex(key));
  for (size_t i = 0; i < 10000; ++i) {
    const std::string key = random_key();
    const auto found = expected.find(key);
    BN_CHECK(trie.find(key) == (found == expected.end() ? DoubleArrayTrie::kNoValue : found->second), hex(key));
  }
}

void add_trie_tests() {
  add("tokenizer/trie: agrees with a map, few bytes", [] { trie_agrees_with_a_map(3, 2000, 8); });
  add("tokenizer/trie: agrees with a map, all bytes", [] { trie_agrees_with_a_map(256, 20000, 6); });
  add("tokenizer/trie: a root with every byte", [] {
    Entries entries;
    for (int byte = 0; byte < 256; ++byte) entries.emplace_back(std::string(1, static_cast<char>(byte)), byte);
    const DoubleArrayTrie trie(entries);
    for (const auto& [key, value] : entries) BN_CHECK(trie.find(key) == value, hex(key));
    BN_CHECK(trie.find(std::string("a\0", 2)) == DoubleArrayTrie::kNoValue, "a leaf has no children");
  });
  add("tokenizer/trie: the last of equal keys counts, empty keys do not", [] {
    const DoubleArrayTrie trie(Entries{{"a", 1}, {"", 2}, {"a", 3}});
    BN_CHECK(trie.find("a") == 3, std::to_string(trie.find("a")));
    BN_CHECK(trie.find("") == DoubleArrayTrie::kNoValue, "empty key");
    BN_CHECK(DoubleArrayTrie(Entries{}).find("a") == DoubleArrayTrie::kNoValue, "empty trie");
  });
  add("tokenizer/trie: size stays near the number of nodes", [] {
    Entries entries;
    for (int32_t i = 0; i < 30000; ++i) entries.emplace_back(std::to_string(i * 7919), i);
    std::set<std::string> prefixes;
    for (const auto& [key, value] : entries) {
      for (size_t length = 0; length <= key.size(); ++length) prefixes.insert(key.substr(0, length));
    }
    const size_t slots = DoubleArrayTrie(entries).size_in_bytes() / 12;
    BN_CHECK(slots < prefixes.size() + prefixes.size() / 10 + 16 * 256,
             std::to_string(slots) + " slots for " + std::to_string(prefixes.size()) + " nodes");
  });
}

void add_vocabulary_tests() {
  add("tokenizer/vocabulary: starts that do not hold together are refused", [] {
    check_throws(ErrorCode::kOption, "begin with 0", [] { FlatStrings("ab", {}); });
    check_throws(ErrorCode::kOption, "begin with 0", [] { FlatStrings("ab", {1, 2}); });
    check_throws(ErrorCode::kOption, "entry 2 is 0 after 2", [] { FlatStrings("ab", {0, 2, 0, 2}); });
    check_throws(ErrorCode::kOption, "ends with 3, but vocabulary.bytes has 2", [] { FlatStrings("ab", {0, 3}); });
    check_throws(ErrorCode::kOption, "ends with 0, but vocabulary.bytes has 2", [] { FlatStrings("ab", {0}); });
  });
  add("tokenizer/vocabulary: entries that are not UTF-8 are refused", [] {
    for (const char* bytes : {"\x80", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x28\xa1", "\xff"}) {
      check_throws(ErrorCode::kOption, "entry 1 of the vocabulary is not UTF-8", [&] { flat({"a", bytes}); });
    }
    BN_CHECK(flat({"", "\xc2\xa2\xed\x9f\xbf\xf4\x8f\xbf\xbf"}).size() == 2, "well-formed text was refused");
  });
}

void add_unicode_tests() {
  add("tokenizer/unicode: UTF-16 is decoded with lone surrogates", [] {
    const std::u16string text = u"a\U0001F600\xd800z\xdc00";
    const std::vector<char32_t> expected{'a', 0x1f600, 0xd800, 'z', 0xdc00};
    std::vector<char32_t> forwards, backwards;
    for (size_t i = 0; i < text.size();) {
      const auto decoded = unicode::decode_utf16(text, i);
      forwards.push_back(decoded.code_point);
      i += decoded.length;
    }
    for (size_t i = text.size(); i > 0;) {
      const auto decoded = unicode::decode_utf16_before(text, i);
      backwards.insert(backwards.begin(), decoded.code_point);
      i -= decoded.length;
    }
    BN_CHECK(forwards == expected, "forwards");
    BN_CHECK(backwards == expected, "backwards");
  });
  add("tokenizer/unicode: mappings", [] {
    BN_CHECK(unicode::lowercase_mapping(0x130) == std::u32string(U"i\u0307"), "U+0130");
    BN_CHECK(unicode::lowercase_mapping(0x3a3) == std::u32string(U"\u03c3"), "no final sigma");
    BN_CHECK(unicode::canonical_decomposition(0x1f82) == std::u32string(U"\u03b1\u0313\u0300\u0345"), "U+1F82");
    BN_CHECK(unicode::canonical_decomposition(0x2fa1d) == std::u32string(U"\U0002A600"), "the last mapped one");
    char32_t jamo[3];
    BN_CHECK(unicode::decompose_hangul(0xac00, jamo) == 2 && jamo[0] == 0x1100 && jamo[1] == 0x1161, "U+AC00");
    BN_CHECK(unicode::decompose_hangul(0xd7a3, jamo) == 3 && jamo[2] == 0x11c2, "U+D7A3");
  });
  add("tokenizer/unicode: every code point has a record and no mapping leads astray", [] {
    constexpr size_t kLongestLowercase = 2, kLongestDecomposition = 4;  // in Unicode 17.0
    for (char32_t c = 0; c <= unicode::kLastCodePoint; ++c) {
      const uint16_t record = unicode::record(c);
      if (record & unicode::kLowercases) {
        const size_t length = unicode::lowercase_mapping(c).size();
        BN_CHECK(length >= 1 && length <= kLongestLowercase, std::to_string(c));
      }
      if (record & unicode::kDecomposes) {
        const size_t length = unicode::canonical_decomposition(c).size();
        BN_CHECK(length >= 1 && length <= kLongestDecomposition, std::to_string(c));
      }
      const bool surrogate = c >= 0xd800 && c <= 0xdfff;
      BN_CHECK(!surrogate || record == (unicode::kRemoved | unicode::kRustRemoved), std::to_string(c));
    }
  });
  add("tokenizer/unicode: white space is stripped as Python strips it", [] {
    BN_CHECK(unicode::strip_white_space(" \t\x1f\xc2\xa0 a b\xe2\x80\xa8\xe3\x80\x80") == "a b", "both ends");
    BN_CHECK(unicode::strip_white_space("\xe3\x80\x80") == "", "nothing else");
    BN_CHECK(unicode::strip_white_space("\x80\xe2\x80 ") == "\x80\xe2\x80", "broken bytes are no space");
  });
}

std::vector<std::string> words_of(const std::u16string& text, const BertNormalizerOptions& options,
                                  std::vector<Span>* spans = nullptr, const Entries& never_split = {}) {
  const BertPreTokenizer pre_tokenizer(options, DoubleArrayTrie(never_split));
  WordBuffer buffer(100, true);
  std::vector<std::string> words;
  pre_tokenizer.split(text, 0, buffer, [&](const WordBuffer& word, int32_t) {
    words.emplace_back(word.bytes());
    if (spans != nullptr) spans->push_back(word.span());
    return true;
  });
  return words;
}

std::string join(const std::vector<std::string>& words) {
  std::string joined;
  for (const std::string& word : words) joined += (joined.empty() ? "" : "|") + word;
  return joined;
}

void add_word_tests() {
  add("tokenizer/words: accents, Hangul and Chinese", [] {
    const std::string words = join(words_of(u"\u00c9t\u00e9\u4e2d\u6587 \uac12!", {}));
    BN_CHECK(words == "ete|\u4e2d|\u6587|\u1100\u1161\u11b9|!", words);
  });
  add("tokenizer/words: spans leave out what was dropped at the ends", [] {
    std::vector<Span> spans;
    words_of(u" \u200bA\u200bB\u0301\u200b ", {}, &spans);
    BN_CHECK(spans == std::vector<Span>({Span{2, 5}}), std::to_string(spans[0].start));
  });
  add("tokenizer/words: marks that stay are put in canonical order", [] {
    // U+1D16D has class 226, U+1D165 216; U+0301 (230, Mn) between them is dropped, U+0941 (0, Mn) ends the sequence.
    BertNormalizerOptions options;
    BN_CHECK(join(words_of(u"a\U0001D16D\u0301\U0001D165", options)) == "a\U0001D165\U0001D16D", "reordered");
    BN_CHECK(join(words_of(u"a\U0001D16D\u0941\U0001D165", options)) == "a\U0001D16D\U0001D165", "kept apart");
    options.strip_accents = false;
    BN_CHECK(join(words_of(u"a\U0001D16D\U0001D165", options)) == "a\U0001D16D\U0001D165", "no decomposition");
  });
  add("tokenizer/words: never_split", [] {
    const Entries listed{{"x-y", 7}, {"[mask]", 8}, {"e!", 9}};
    const std::string words = join(words_of(u"X\u200b-Y x-yz [MASK] \u00c9! x-y\u4e2d", {}, nullptr, listed));
    BN_CHECK(words == "x-y|x|-|yz|[mask]|e!|x-y|\u4e2d", words);
  });
  add("tokenizer/words: a word without end takes no memory", [] {
    const std::vector<std::string> words = words_of(std::u16string(3000000, u'\u1112') + u" b", {});
    BN_CHECK(words.size() == 2 && words[0].size() == 300 && words[1] == "b", std::to_string(words[0].size()));
    std::u16string marks;
    for (int i = 0; i < 500000; ++i) marks += u"\U0001D16D\U0001D165";
    BN_CHECK(words_of(marks, {})[0].size() == 400, "marks");
  });
  add("tokenizer/words: a sink that wants no more ends the text", [] {
    const BertPreTokenizer pre_tokenizer({}, DoubleArrayTrie(Entries{}));
    WordBuffer buffer(100, false);
    size_t words = 0;
    pre_tokenizer.split(u"a b,c \u4e2d d", 0, buffer, [&](const WordBuffer&, int32_t) { return ++words < 3; });
    BN_CHECK(words == 3, std::to_string(words));
  });
}

std::string pieces_of(const WordPiece& model, std::string_view word) {
  std::string pieces;
  const bool known = model.tokenize(word, [&](int32_t id, size_t begin, size_t end) {
    pieces += std::to_string(id) + ":" + std::string(word.substr(begin, end - begin)) + " ";
  });
  return known ? pieces : "unknown";
}

void add_wordpiece_tests() {
  add("tokenizer/wordpiece: longest match first, no way back", [] {
    const WordPiece model(flat({"[UNK]", "a", "ab", "##c", "##cd", "##b", "b"}), {});
    BN_CHECK(pieces_of(model, "abcd") == "2:ab 4:cd ", pieces_of(model, "abcd"));
    BN_CHECK(pieces_of(model, "abb") == "2:ab 5:b ", pieces_of(model, "abb"));
    BN_CHECK(pieces_of(model, "abcdd") == "unknown", "the longest match leaves a rest");
    BN_CHECK(pieces_of(model, "x") == "unknown", "no first piece");
  });
  add("tokenizer/wordpiece: duplicates, empty entries, prefixes", [] {
    const WordPiece duplicates(flat({"[UNK]", "a", "", "a", "##"}), {});
    BN_CHECK(pieces_of(duplicates, "a") == "3:a ", pieces_of(duplicates, "a"));
    BN_CHECK(pieces_of(duplicates, "aa") == "unknown", "the bare prefix continues nothing");
    const WordPiece unprefixed(flat({"[UNK]", "a", "b"}), {0, "", 100});
    BN_CHECK(pieces_of(unprefixed, "ab") == "1:a 2:b ", pieces_of(unprefixed, "ab"));
    const WordPiece none(flat({"[UNK]", "a"}), {});
    BN_CHECK(pieces_of(none, "aa") == "unknown", "no continuations at all");
  });
}

// What longest_first means, word for word.
PairLengths one_at_a_time(PairLengths lengths, size_t room) {
  while (lengths.first + lengths.second > room) --(lengths.first > lengths.second ? lengths.first : lengths.second);
  return lengths;
}

void add_truncation_tests() {
  add("tokenizer/truncation: longest_first equals taking one token at a time", [] {
    for (size_t first = 0; first < 12; ++first) {
      for (size_t second = 0; second < 12; ++second) {
        for (size_t room = 0; room < 26; ++room) {
          const PairLengths got = truncated_lengths({first, second}, true, room, Truncation::kLongestFirst);
          BN_CHECK(got == one_at_a_time({first, second}, room),
                   std::to_string(first) + "+" + std::to_string(second) + " to " + std::to_string(room));
        }
      }
    }
  });
  add("tokenizer/truncation: an odd token goes to the longer text, as in the Rust library", [] {
    const auto cut = [](PairLengths lengths, size_t room) {
      return truncated_lengths(lengths, true, room, Truncation::kLongestFirst, OddToken::kToLonger);
    };
    BN_CHECK(cut({6, 6}, 5) == (PairLengths{2, 3}), "equal");
    BN_CHECK(cut({7, 6}, 5) == (PairLengths{3, 2}), "the first is longer");
    BN_CHECK(cut({6, 7}, 5) == (PairLengths{2, 3}), "the second is longer");
    BN_CHECK(cut({2, 9}, 5) == (PairLengths{2, 3}), "the shorter is left as it is");
    BN_CHECK(cut({9, 2}, 7) == (PairLengths{5, 2}), "the shorter is left as it is");
  });
  add("tokenizer/truncation: one text is cut and keeps a token, or it is refused", [] {
    BN_CHECK(truncated_lengths({5, 3}, true, 6, Truncation::kOnlyFirst) == (PairLengths{3, 3}), "only_first");
    BN_CHECK(truncated_lengths({5, 3}, true, 6, Truncation::kOnlySecond) == (PairLengths{5, 1}), "only_second");
    BN_CHECK(truncated_lengths({5, 0}, false, 0, Truncation::kOnlyFirst) == (PairLengths{0, 0}), "a single text");
    const auto refused = [](PairLengths lengths, bool is_pair, size_t room, Truncation truncation) {
      check_throws(ErrorCode::kTruncation, "cannot reach max_length",
                   [&] { truncated_lengths(lengths, is_pair, room, truncation); });
    };
    refused({5, 3}, true, 3, Truncation::kOnlyFirst);
    refused({5, 3}, true, 5, Truncation::kOnlySecond);
    refused({5, 0}, false, 4, Truncation::kOnlySecond);
  });
  add("tokenizer/truncation: windows", [] {
    using Ranges = std::vector<Range>;
    BN_CHECK(overflow_windows(5, 5, 9, Side::kRight) == (Ranges{{0, 5}}), "all fit");
    BN_CHECK(overflow_windows(7, 4, 2, Side::kRight) == (Ranges{{0, 4}, {2, 6}, {4, 7}}), "right");
    BN_CHECK(overflow_windows(7, 4, 2, Side::kLeft) == (Ranges{{3, 7}, {1, 5}, {0, 3}}), "left");
    BN_CHECK(overflow_windows(8, 4, 0, Side::kRight) == (Ranges{{0, 4}, {4, 8}}), "no stride");
    check_throws(ErrorCode::kTruncation, "stride 4 must be less than the 4 tokens",
                 [] { overflow_windows(7, 4, 4, Side::kRight); });
    check_throws(ErrorCode::kTruncation, "stride 0 must be less than the 0 tokens",
                 [] { overflow_windows(7, 0, 0, Side::kRight); });
  });
}

AddedToken added(const char16_t* content, int32_t id, bool lstrip = false, bool rstrip = false, bool single = false) {
  return {content, id, true, lstrip, rstrip, single};
}

std::string matches_in(const AddedTokens& tokens, const std::u16string& text) {
  std::string found;
  size_t from = 0;
  while (const auto match = tokens.find(text, from)) {
    found += std::to_string(match->id) + "@" + std::to_string(match->begin) + "-" + std::to_string(match->end) + " ";
    from = match->end;
  }
  return found;
}

void add_added_token_tests() {
  add("tokenizer/added tokens: leftmost, longest", [] {
    const AddedTokens tokens({added(u"ab", 1), added(u"abcd", 2), added(u"bcd", 3), added(u"\xd800", 4)});
    BN_CHECK(matches_in(tokens, u"xabcdabc\xd800") == "2@1-5 1@5-7 4@8-9 ", matches_in(tokens, u"xabcdabc\xd800"));
  });
  add("tokenizer/added tokens: white space and word boundaries", [] {
    const AddedTokens tokens(
        {added(u"<l>", 1, true), added(u"<r>", 2, false, true), added(u"w", 3, false, false, true)});
    BN_CHECK(matches_in(tokens, u"a \u3000<l> b<r>\t <l>") == "1@1-6 2@8-13 1@13-16 ",
             matches_in(tokens, u"a \u3000<l> b<r>\t <l>"));
    BN_CHECK(matches_in(tokens, u"w ww \U0001D7D8w w\u0301 (w)") == "3@0-1 3@13-14 ",
             matches_in(tokens, u"w ww \U0001D7D8w w\u0301 (w)"));
  });
  add("tokenizer/added tokens: of two with the same content the first", [] {
    const AddedTokens tokens({added(u"x", 7), added(u"y", 8), added(u"x", 5)});
    BN_CHECK(matches_in(tokens, u"xyx") == "7@0-1 8@1-2 7@2-3 ", matches_in(tokens, u"xyx"));
  });
  add("tokenizer/added tokens: nothing to look for, nothing to find", [] {
    BN_CHECK(matches_in(AddedTokens({}), u"abc").empty(), "no tokens");
    check_throws(ErrorCode::kOption, "added_tokens[1].content", [] { AddedTokens({added(u"a", 0), added(u"", 1)}); });
    check_throws(ErrorCode::kOption, "added_tokens[0].id", [] { AddedTokens({added(u"a", -1)}); });
  });
}

struct SmallTokenizer {
  int32_t unk_id = 0;
  int32_t cls_id = 1;
  TemplatePiece::Kind last_of_pair = TemplatePiece::Kind::kSecond;
};

TokenizerParts small_parts(const SmallTokenizer& small = {}) {
  using Kind = TemplatePiece::Kind;
  const TemplatePiece cls{Kind::kSpecial, small.cls_id, 0}, sep{Kind::kSpecial, 2, 0}, sep1{Kind::kSpecial, 2, 1};
  const TemplatePiece first{Kind::kFirst, 0, 0}, second{small.last_of_pair, 0, 1};
  WordPieceOptions options;
  options.unk_id = small.unk_id;
  auto model =
      std::make_shared<const TokenizerModel>(flat({"[UNK]", "[CLS]", "[SEP]", "a", "b", "##b", "c", "."}), options);
  auto pipeline = make_bert_pipeline(model, {}, {});
  return {std::move(model),
          {added(u"[CLS]", 1), added(u"[SEP]", 2), {u"<new>", 8, false, false, false, false}},
          nullptr,
          std::move(pipeline),
          TemplateProcessor({cls, first, sep}, {cls, first, sep, second, sep1}),
          nullptr,
          WordPieceDecoder("##")};
}

SampleTexts samples(const std::vector<std::u16string>& texts) {
  SampleTexts result;
  for (const std::u16string& text : texts) {
    result.units.insert(result.units.end(), text.begin(), text.end());
    result.starts.push_back(result.units.size());
  }
  return result;
}

std::string rows_of(const Encoding& encoding) {
  std::string rows;
  for (size_t row = 0; row + 1 < encoding.row_starts.size(); ++row) {
    if (row > 0) rows += "| ";
    for (int32_t i = encoding.row_starts[row]; i < encoding.row_starts[row + 1]; ++i) {
      rows += std::to_string(encoding.ids[static_cast<size_t>(i)]) + " ";
    }
  }
  return rows;
}

void add_tokenizer_tests() {
  add("tokenizer/encode: words, added tokens, unknown words", [] {
    const Tokenizer tokenizer(small_parts());
    EncodeOptions options;
    options.return_offsets = options.return_word_ids = true;
    const Encoding encoding = tokenizer.encode({samples({u"AB<new>x.", u""}), false, {}}, options);
    BN_CHECK(rows_of(encoding) == "1 3 5 8 0 7 2 | 1 2 ", rows_of(encoding));
    const std::vector<Span> offsets{{0, 0}, {0, 1}, {1, 2}, {2, 7}, {7, 8}, {8, 9}, {0, 0}, {0, 0}, {0, 0}};
    BN_CHECK(encoding.offsets == offsets, "offsets");
    BN_CHECK(encoding.word_ids == std::vector<int32_t>({-1, 0, 0, 1, 2, 3, -1, -1, -1}), "word ids");
  });
  add("tokenizer/encode: windows of both texts come in the order of the Rust library", [] {
    const Tokenizer tokenizer(small_parts());
    EncodeOptions options;
    options.truncation = Truncation::kLongestFirst;
    options.max_length = 5;
    options.return_overflowing_tokens = true;
    const Encoding encoding = tokenizer.encode({samples({u"a b"}), true, samples({u"c ."})}, options);
    BN_CHECK(rows_of(encoding) == "1 3 2 6 2 | 1 4 2 6 2 | 1 4 2 7 2 | 1 3 2 7 2 ", rows_of(encoding));
    BN_CHECK(encoding.sample_of_row == std::vector<int32_t>({0, 0, 0, 0}), "samples");
  });
  add("tokenizer/encode: reading only what truncation keeps changes nothing", [] {
    const Tokenizer tokenizer(small_parts());
    std::mt19937 random(5);
    const auto random_text = [&] {
      std::u16string text;
      for (size_t i = random() % 12; i > 0; --i) text += u"ab .c"[random() % 5];
      return text;
    };
    for (int round = 0; round < 2000; ++round) {
      const std::u16string first = random_text(), second = random_text();
      EncodeOptions plain;
      plain.add_special_tokens = false;
      const std::vector<int32_t> all_of_first = tokenizer.encode({samples({first}), false, {}}, plain).ids;
      const std::vector<int32_t> all_of_second = tokenizer.encode({samples({second}), false, {}}, plain).ids;
      EncodeOptions options;
      options.truncation = Truncation::kLongestFirst;
      options.max_length = 3 + random() % 10;
      const Encoding cut = tokenizer.encode({samples({first}), true, samples({second})}, options);
      const PairLengths kept = one_at_a_time({all_of_first.size(), all_of_second.size()}, options.max_length - 3);
      std::vector<int32_t> expected{1};
      expected.insert(expected.end(), all_of_first.begin(), all_of_first.begin() + kept.first);
      expected.push_back(2);
      expected.insert(expected.end(), all_of_second.begin(), all_of_second.begin() + kept.second);
      expected.push_back(2);
      BN_CHECK(cut.ids == expected, rows_of(cut));
    }
  });
  add("tokenizer/decode: continuations, added tokens, clean-up", [] {
    const Tokenizer tokenizer(small_parts());
    const std::vector<int32_t> ids{1, 3, 5, 8, 5, 7, 2};
    BN_CHECK(tokenizer.decode(ids, {false, false}) == "[CLS] ab <new> ##b . [SEP]", tokenizer.decode(ids, {}));
    BN_CHECK(tokenizer.decode(ids, {true, true}) == "ab <new> ##b.", tokenizer.decode(ids, {true, true}));
    for (const int32_t id : {-1, 9}) {
      check_throws(ErrorCode::kTokenId, "id " + std::to_string(id) + " at position 0",
                   [&] { tokenizer.decode(std::vector<int32_t>{id}, {}); });
    }
  });
  add("tokenizer/parts: ids that are nowhere are refused", [] {
    const auto make = [](const SmallTokenizer& small) { return Tokenizer(small_parts(small)).decode({}, {}); };
    check_throws(ErrorCode::kFileFormat, "unknown token of the WordPiece model has id 9", [&] { make({9}); });
    check_throws(ErrorCode::kOption, "post_processor.single is 9", [&] { make({0, 9}); });
    check_throws(ErrorCode::kOption, "post_processor.pair must contain", [&] {
      make({0, 1, TemplatePiece::Kind::kFirst});
    });
  });
}

void add_tokenizer_file_tests() {
  add_trie_tests();
  add_vocabulary_tests();
  add_unicode_tests();
  add_word_tests();
  add_wordpiece_tests();
  add_truncation_tests();
  add_added_token_tests();
  add_tokenizer_tests();
}

const Registration registration(add_tokenizer_file_tests);

}  // namespace

}  // namespace bert_native::test
