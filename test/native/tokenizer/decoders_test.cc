// What is expected is what the Rust library tokenizers 0.23 makes of the same tokens.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "harness.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/decoders/replace_all.h"

namespace bert_native::test {

namespace {

using Strings = std::vector<std::string>;

std::string joined(const Strings& strings, const std::string& separator) {
  std::string text;
  for (size_t i = 0; i < strings.size(); ++i) text += (i > 0 ? separator : "") + strings[i];
  return text;
}

void expect(const DecoderPointer& decoder, Strings tokens, const Strings& expected) {
  decoder->decode(tokens);
  BN_CHECK(tokens == expected, "expected [" + joined(expected, "][") + "], got [" + joined(tokens, "][") + "]");
}

template <typename... Decoders>
DecoderPointer sequence(Decoders... decoders) {
  std::vector<DecoderPointer> parts;
  (parts.push_back(std::move(decoders)), ...);
  return make_decoder_sequence(std::move(parts));
}

void add_subword_tests() {
  add("decoders/wordpiece: prefixes join, clean-up works on each token", [] {
    const DecoderPointer decoder = make_wordpiece_decoder("##", true);
    expect(decoder, {"##a", "b", "##c", "####d", ".", "do", "not"}, {"##a", " b", "c", "##d", ".", " do", " not"});
    expect(decoder, {"I", "'m", " do not", "x", "n't", "!"}, {"I", "'m", "  don't", " x", "n't", "!"});
    expect(decoder, {}, {});
    expect(make_wordpiece_decoder("##", false), {"a", ".", " do not", "##"}, {"a", " .", "  do not", ""});
    expect(make_wordpiece_decoder("", false), {"a", "b"}, {"a", "b"});
  });
  add("decoders/metaspace: spaces, none before the first token", [] {
    const Strings tokens = {"▁a▁", "▁b", "c▁"};
    expect(make_metaspace_decoder(U'▁', PrependScheme::kAlways), tokens, {"a", " b", "c "});
    expect(make_metaspace_decoder(U'▁', PrependScheme::kFirst), tokens, {"a", " b", "c "});
    expect(make_metaspace_decoder(U'▁', PrependScheme::kNever), tokens, {" a ", " b", "c "});
    expect(make_metaspace_decoder(U'😀', PrependScheme::kNever), {"a😀b"}, {"a b"});
  });
  add("decoders/bpe: suffixes are spaces but in the last token", [] {
    expect(make_bpe_decoder("</w>"), {"a", "b</w>", "c</w>x", "d</w>"}, {"a", "b ", "c x", "d"});
    expect(make_bpe_decoder("</w>"), {}, {});
    expect(make_bpe_decoder(""), {"aé", "b"}, {" a é ", "b"});
    // No vocabulary has what is not UTF-8; were it there, decoding would end all the same.
    expect(make_bpe_decoder(""), {"\x82", "b"}, {" \x82 ", "b"});
    expect(make_replace_decoder(make_literal_pattern(U"a"), "b"), {"a\x82"}, {"b\uFFFD"});
  });
  add("decoders/ctc: repeated tokens and blanks", [] {
    const Strings tokens = {"<pad>", "<pad>", "h", "h", "e", "<pad>", "l", "l", "<pad>", "l", "|", "|", "o<pad>", " ."};
    expect(make_ctc_decoder("<pad>", "|", true), tokens, {"h", "e", "l", "l", " ", "o", "."});
    expect(make_ctc_decoder("<pad>", "|", false), tokens, {"h", "e", "l", "l", "|", "o", " ."});
  });
}

void add_byte_tests() {
  add("decoders/byte level: bytes join over tokens", [] {
    const DecoderPointer decoder = make_byte_level_decoder();
    expect(decoder, {"ĠHello", "Ġ", "íķ", "ľ"}, {" Hello 한"});
    expect(decoder, {"한", "é", "a한Ġ"}, {"한\uFFFDa한Ġ"});
    expect(decoder, {}, {""});
  });
  add("decoders/byte level: one U+FFFD for each maximal subpart", [] {
    const DecoderPointer decoder = make_byte_level_decoder();
    // C3 a F0 9F 98 x F0 9F 8A ED A0 80: the surrogate's bytes are three errors.
    expect(decoder, {"Ã", "a", "ðŁĺ", "x", "ðŁ", "Ĭ", "í", "łĢ"}, {"\uFFFDa\uFFFDx\uFFFD\uFFFD\uFFFD\uFFFD"});
    // C0 AF F4 90 80 80 E1 80
    expect(decoder, {"À", "¯", "ôĲĢĢ", "á", "Ģ"}, {"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"});
    // E0 9F F0 8F E2 82, F0 90 41
    expect(decoder, {"àŁðıâĤ"}, {"\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"});
    expect(decoder, {"ðĲA"}, {"\uFFFDA"});
  });
  add("decoders/byte fallback: bytes that follow each other are one text, or one U+FFFD each", [] {
    expect(make_byte_fallback_decoder(),
           {"<0x61>", "<0xED>", "<0x95>", "<0x9c>", "a", "<0xE5>", "<0x8f>", "b", "<0xG1>", "<0x1>", "<0x+A>", "<0xé>"},
           {"a한", "a", "\uFFFD", "\uFFFD", "b", "<0xG1>", "<0x1>", "\n", "<0xé>"});
  });
}

// Matches every "ab".
class AbPattern : public Pattern {
 public:
  void find_all(std::u32string_view text, std::vector<Range>& matches) const override {
    for (size_t i = text.find(U"ab"); i != std::u32string_view::npos; i = text.find(U"ab", i + 2)) {
      matches.push_back({i, i + 2});
    }
  }
  bool may_match_around_space() const override { return false; }
};

void add_text_tests() {
  add("decoders/fuse, strip, replace", [] {
    expect(make_fuse_decoder(), {"a", "", "b"}, {"ab"});
    expect(make_fuse_decoder(), {}, {""});
    expect(make_strip_decoder(U'H', 1, 0), {"Hey", " HHH", "HHH", ""}, {"ey", " HHH", "HH", ""});
    expect(make_strip_decoder(U'▁', 0, 2), {"a▁▁▁", "▁b", "c▁"}, {"a▁", "▁b", "c"});
    expect(make_strip_decoder(U'▁', 2, 2), {"▁▁▁", "▁", "▁a▁"}, {"", "", "a"});
    expect(make_replace_decoder(std::make_unique<AbPattern>(), "é"), {"abab", "a", "한abd", ""},
           {"éé", "a", "한éd", ""});
  });
  add("decoders/sequence: one after the other", [] {
    expect(sequence(make_byte_fallback_decoder(), make_fuse_decoder(), make_strip_decoder(U' ', 1, 0),
                    make_metaspace_decoder(U'▁', PrependScheme::kNever)),
           {" ▁a", "<0x62>", "▁c"}, {" ab c"});
    expect(sequence(make_ctc_decoder("<pad>", "|", true), make_metaspace_decoder(U'▁', PrependScheme::kAlways)),
           {"▁", "▁", "H", "H", "i", "i", "▁", "y"}, {"", "H", "i", " ", "y"});
    expect(sequence(), {"a", "b"}, {"a", "b"});
  });
  add("decoders/replace_all: from left to right, and an empty string everywhere", [] {
    BN_CHECK(replace_all("aaa", "aa", "b") == "ba", "overlap");
    BN_CHECK(replace_all("", "a", "b").empty(), "empty text");
    BN_CHECK(replace_all("aé", "", "-") == "-a-é-", replace_all("aé", "", "-"));
    BN_CHECK(replace_all("", "", "-") == "-", "empty text and string");
    BN_CHECK(replace_all("a\x82\xff", "", "-") == "-a-\x82-\xff-", "no UTF-8");
  });
}

const Registration registration([] {
  add_subword_tests();
  add_byte_tests();
  add_text_tests();
});

}  // namespace

}  // namespace bert_native::test
