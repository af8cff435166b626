#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "harness.h"
#include "tokenizer/pipelines/bert.h"
#include "tokenizer/text_scan.h"
#include "tokenizer/unicode.h"
#include "tokenizer/word_cache.h"

namespace bert_native::test {

namespace {

FlatStrings flat(const std::vector<std::string>& strings) {
  std::string bytes;
  std::vector<uint32_t> starts{0};
  for (const std::string& string : strings) {
    bytes += string;
    starts.push_back(static_cast<uint32_t>(bytes.size()));
  }
  return FlatStrings(std::move(bytes), std::move(starts));
}

// Pieces of one to three of the characters that random_text() draws words of, so that many words fall into several.
std::shared_ptr<const TokenizerModel> small_model() {
  const std::vector<std::string> characters{"a",      "b",      "c",      "A",      "B",      "1",          "한", "국",
                                            "\u1112", "\u1161", "\u11ab", "\u1100", "\u116e", "\u11a8",     "é",  "e",
                                            "ж",      "か",     "中",     "文",     "。",     "\U0001F600", "[",  "]"};
  std::vector<std::string> entries{"[UNK]", "[CLS]", "[X", ".", ",", "-", "don't", "\u2014"};
  for (const std::string& first : characters) {
    entries.push_back(first);
    entries.push_back("##" + first);
    for (const std::string& second : characters) {
      if ((first[0] + second[0]) % 3 == 0) continue;
      entries.push_back(first + second);
      if ((first[0] ^ second[0]) % 5 == 0) entries.push_back("##" + first + second);
    }
  }
  return std::make_shared<const TokenizerModel>(flat(entries), WordPieceOptions{});
}

class TextMaker {
 public:
  explicit TextMaker(unsigned seed) : random_(seed) {}

  size_t below(size_t count) { return random_() % count; }

  // Words of one kind of characters each, mostly, of lengths that pass every limit; then what stands between words.
  std::u16string text(size_t words) {
    std::u16string text;
    for (size_t i = 0; i < words; ++i) {
      text += word();
      text +=
          pick({u" ", u" ", u"  ", u".", u", ", u"\n", u"\t", u"-", u"\x85", u"\u3000", u"\u2014", u"\u200b ", u""});
    }
    return text;
  }

 private:
  std::u16string pick(const std::vector<std::u16string>& choices) { return choices[below(choices.size())]; }

  std::u16string word() {
    static const std::vector<std::vector<std::u16string>> alphabets{
        {u"a", u"b", u"c", u"A", u"B", u"1"},
        {u"한", u"국", u"가"},
        {u"a", u"é", u"E\u0301", u"ж", u"Ж", u"か", u"\u0323", u"\u0301", u"ÿ", u"\xff", u"\u0130", u"\u212a"},
        {u"中", u"文", u"a", u"한", u"。", u"["},
        {u"\U0001F600", u"a", u"\xd800", u"\xdc00", u"\u200b", std::u16string(1, u'\0'), u"\x1f", u"\x0b", u"\x7f"},
        {u"[", u"]", u"[CLS]", u"[C\u200bLS]", u"[cls]", u"[X", u"\u200b[X", u"[\u0301X", u"中[X"},
        {u"don't", u"DON'T", u"'", u";", u"\u037e", u"`", u"\u226e"}};
    const auto& alphabet = alphabets[below(alphabets.size())];
    static const std::vector<size_t> lengths{0, 1,  1,  2,  2,  3,  3,  4,  5,  6,   7,
                                             8, 14, 15, 16, 17, 63, 64, 65, 99, 100, 101};
    std::u16string word;
    for (size_t i = below(10) == 0 ? lengths[below(lengths.size())] : below(9); i > 0; --i) word += pick(alphabet);
    return word;
  }

  std::mt19937 random_;
};

std::vector<int32_t> ids_of(const Pipeline& pipeline, Pipeline::Scratch& scratch, const TextPart& part, bool by_spans,
                            size_t limit = std::numeric_limits<size_t>::max()) {
  RunOptions options;
  options.offsets = by_spans;  // words are not remembered where spans are asked for
  options.limit = limit;
  TokenRun run;
  pipeline.tokenize(part, options, 0, scratch, run);
  return run.ids;
}

std::string units_of(std::u16string_view text) {
  std::string units;
  for (const char16_t unit : text) units += std::to_string(unit) + " ";
  return units;
}

const std::vector<std::vector<std::u16string>> kNeverSplit{
    {}, {u"[CLS]", u"[X"}, {u"[CLS]", u"don't"}, {u";", u"`ab"}, {u"한국", u"é"}};

void add_pipeline_tests() {
  add("tokenizer/bert pipeline: what is remembered is what splitting gives", [] {
    const auto model = small_model();
    for (unsigned round = 0; round < 80; ++round) {
      const BertNormalizerOptions options{(round & 1) != 0, (round & 2) != 0, (round & 4) != 0, (round & 8) != 0};
      const auto pipeline = make_bert_pipeline(model, options, kNeverSplit[round % kNeverSplit.size()]);
      const auto scratch = pipeline->make_scratch();
      TextMaker maker(round);
      for (size_t i = 0; i < 300; ++i) {
        const std::u16string text = maker.text(maker.below(30));
        const size_t begin = maker.below(4) == 0 ? maker.below(text.size() + 1) : 0;
        const size_t end = maker.below(4) == 0 ? begin + maker.below(text.size() - begin + 1) : text.size();
        const TextPart part{text, begin, end};
        BN_CHECK(ids_of(*pipeline, *scratch, part, false) == ids_of(*pipeline, *scratch, part, true),
                 "round " + std::to_string(round) + ", " + std::to_string(begin) + " to " + std::to_string(end) +
                     " of " + units_of(text));
      }
    }
  });
  add("tokenizer/bert pipeline: long texts, long words, and limits", [] {
    const auto pipeline = make_bert_pipeline(small_model(), {}, {u"[CLS]"});
    const auto scratch = pipeline->make_scratch();
    TextMaker maker(1);
    std::vector<std::u16string> texts{std::u16string(5000, u'a'),          std::u16string(1024, u'a') + u" b",
                                      std::u16string(1023, u'a') + u" b",  std::u16string(1025, u' ') + u"b",
                                      std::u16string(5000, u'한') + u".a", std::u16string(7000, u'.')};
    for (const size_t words : {300u, 1000u, 3000u}) texts.push_back(maker.text(words));
    for (const std::u16string& text : texts) {
      const TextPart part{text, 0, text.size()};
      const std::vector<int32_t> all = ids_of(*pipeline, *scratch, part, true);
      BN_CHECK(ids_of(*pipeline, *scratch, part, false) == all, units_of(text.substr(0, 40)));
      for (const size_t limit : {1u, 5u, 100u, 1023u, 1024u, 1025u}) {
        const std::vector<int32_t> some = ids_of(*pipeline, *scratch, part, false, limit);
        BN_CHECK(some.size() >= std::min(limit, all.size()) && some.size() <= all.size(), std::to_string(some.size()));
        BN_CHECK(std::equal(some.begin(), some.end(), all.begin()), "limit " + std::to_string(limit));
      }
    }
  });
  add("tokenizer/bert pipeline: more words than are remembered", [] {
    const auto pipeline = make_bert_pipeline(small_model(), {}, {});
    const auto scratch = pipeline->make_scratch();
    for (int round = 0; round < 2; ++round) {
      for (size_t i = 0; i < 4000; ++i) {
        std::u16string text;
        for (size_t k = i * 40; k < i * 40 + 40; ++k) {
          for (size_t rest = k; rest > 0; rest /= 5) text += u"abc1한"[rest % 5];
          text += u' ';
        }
        const TextPart part{text, 0, text.size()};
        BN_CHECK(ids_of(*pipeline, *scratch, part, false) == ids_of(*pipeline, *scratch, part, true), units_of(text));
      }
    }
  });
}

void add_scan_tests() {
  add("tokenizer/scan: every unit in every lane", [] {
    for (unsigned unit = 0; unit < 0x10000; ++unit) {
      char16_t units[kScanBlock] = {};
      const size_t lane = (unit * 31) % kScanBlock;
      units[lane] = static_cast<char16_t>(unit);
      for (const unsigned char lower_bit : {0, 0x20}) {
        unsigned char bytes[kScanBlock];
        const Delimiters delimiters = narrow_block(units, lower_bit, bytes);
        const auto c = static_cast<unsigned char>(unit);
        const bool is_space = unit < 0x80 && scan::is_space(c), is_mark = unit < 0x80 && scan::is_punctuation(c);
        BN_CHECK(delimiters.spaces == static_cast<uint64_t>(is_space) << lane, std::to_string(unit));
        BN_CHECK(delimiters.punctuation == static_cast<uint64_t>(is_mark) << lane, std::to_string(unit));
        const bool is_upper = unit >= 'A' && unit <= 'Z';
        const unsigned expected = unit > 0xff ? 0xff : is_upper ? unit | lower_bit : unit;
        BN_CHECK(bytes[lane] == expected, std::to_string(unit));
        BN_CHECK(bytes[(lane + 1) % kScanBlock] == 0, std::to_string(unit));
      }
    }
  });
  add("tokenizer/scan: delimiters are what BERT drops or cuts off", [] {
    for (const bool clean : {false, true}) {
      const BertNormalizer normalizer({clean, true, true, true});
      for (unsigned char c = 0; c < 0x80; ++c) {
        using Role = BertNormalizer::Role;
        const uint16_t record = unicode::record(c);
        const Role role = normalizer.role(record);
        const bool is_mark = (record & unicode::kPunctuation) != 0;
        if (scan::is_space(c)) BN_CHECK(role == Role::kSpace, std::to_string(c));
        BN_CHECK(scan::is_punctuation(c) == (role == Role::kLetter && is_mark), std::to_string(c));
        const bool is_printable = c > ' ' && c < 0x7f;
        if (is_printable) BN_CHECK(role == Role::kLetter, std::to_string(c));
      }
    }
  });
  add("tokenizer/scan: no other character becomes ASCII punctuation but five", [] {
    for (char32_t c = 0x80; c <= unicode::kLastCodePoint; ++c) {
      const uint16_t record = unicode::record(c);
      const auto check = [&](char32_t part) {
        const bool known =
            part >= 0x80 || std::string_view("`;<=>").find(static_cast<char>(part)) != std::string_view::npos;
        BN_CHECK(known || !scan::is_punctuation(static_cast<unsigned char>(part)), std::to_string(c));
      };
      const BertNormalizer normalizer({true, true, true, true});
      normalizer.map(c, record, true, [&](char32_t part, uint16_t) { check(part); });
      normalizer.map(c, record, false, [&](char32_t part, uint16_t) { check(part); });
    }
  });
  add("tokenizer/scan: a unit is found wherever it is", [] {
    for (size_t size = 0; size < 70; ++size) {
      for (size_t at = 0; at <= size; ++at) {
        std::u16string text(size, u'\x5b5b');
        if (at < size) text[at] = u"[\xffff"[at % 2];
        for (size_t from = 0; from <= at; ++from) {
          BN_CHECK(find_unit(text, from, {u'[', u'\xffff', u'[', u'['}) == at, std::to_string(at));
        }
        if (at < size) BN_CHECK(find_unit(text, at + 1, {u'[', u'\xffff', u'[', u'['}) == size, std::to_string(at));
      }
    }
  });
}

void add_cache_tests() {
  add("tokenizer/word cache: keys differ where texts do", [] {
    unsigned char bytes[16] = {};
    char16_t units[8] = {};
    WordCache cache(2);
    const int32_t ids[]{1, 2, 3, 4};
    const WordCache::Key nul = WordCache::byte_key(bytes, 1), nuls = WordCache::byte_key(bytes, 2);
    BN_CHECK(cache.find(nul) == nullptr, "empty");
    cache.insert(nul, ids, 4);
    BN_CHECK(cache.find(nuls) == nullptr, "lengths differ");
    BN_CHECK(cache.find(WordCache::unit_key(units, 1)) == nullptr, "kinds differ");
    cache.insert(nuls, ids, 0);
    BN_CHECK(cache.find(nul) != nullptr && WordCache::id_count(*cache.find(nul)) == 4, "the second place");
    BN_CHECK(cache.find(nul)->ids[3] == 4, "ids");
    BN_CHECK(cache.find(nuls) != nullptr && WordCache::id_count(*cache.find(nuls)) == 0, "the first place");
    cache.insert(WordCache::unit_key(units, 7), ids, 1);
    BN_CHECK(cache.find(nul) == nullptr, "the oldest has gone");
    BN_CHECK(cache.find(WordCache::unit_key(units, 7)) != nullptr, "the newest is there");
  });
  add("tokenizer/word cache: grows, keeps what it has, and stops", [] {
    WordCache cache(size_t{1} << 14);
    const auto key_of = [](uint32_t i) {
      unsigned char bytes[16] = {};
      std::memcpy(bytes, &i, sizeof i);
      return WordCache::byte_key(bytes, 4 + i % 12);
    };
    const auto known = [&](uint32_t count) {
      uint32_t found = 0;
      for (uint32_t i = 0; i < count; ++i) {
        const WordCache::Entry* const entry = cache.find(key_of(i));
        if (entry == nullptr) continue;
        ++found;
        BN_CHECK(WordCache::id_count(*entry) == 2 && entry->ids[0] == static_cast<int32_t>(i), std::to_string(i));
      }
      return found;
    };
    const size_t first_size = cache.size_in_bytes();
    for (uint32_t i = 0; i < 100000; ++i) {
      const int32_t ids[]{static_cast<int32_t>(i), 7};
      cache.insert(key_of(i), ids, 2);
      BN_CHECK(cache.find(key_of(i)) != nullptr, std::to_string(i));
      if (i + 1 == 600) BN_CHECK(known(600) > 450 && cache.size_in_bytes() == first_size, std::to_string(known(600)));
      if (i + 1 == 6000) BN_CHECK(known(6000) > 4000, std::to_string(known(6000)));
    }
    BN_CHECK(cache.size_in_bytes() == sizeof(WordCache::Entry) << 14, std::to_string(cache.size_in_bytes()));
    BN_CHECK(known(100000) > (1u << 13), std::to_string(known(100000)));
  });
  add("tokenizer/word cache: what stands behind a text is no part of its key", [] {
    unsigned char zeros[16] = {}, ones[16];
    std::fill(std::begin(ones), std::end(ones), static_cast<unsigned char>(0xff));
    for (size_t length = 1; length <= WordCache::kMaxBytes; ++length) {
      ones[length - 1] = 0;
      std::fill(ones, ones + length, static_cast<unsigned char>(0));
      const WordCache::Key key = WordCache::byte_key(zeros, length), same = WordCache::byte_key(ones, length);
      BN_CHECK(key.low == same.low && key.high == same.high && !same.has_high_bits(), std::to_string(length));
    }
    for (size_t at = 0; at < WordCache::kMaxBytes; ++at) {
      unsigned char bytes[16] = {};
      bytes[at] = 0x80;
      BN_CHECK(WordCache::byte_key(bytes, at + 1).has_high_bits(), std::to_string(at));
      BN_CHECK(!WordCache::byte_key(bytes, at).has_high_bits(), std::to_string(at));
    }
  });
}

void add_bert_pipeline_tests() {
  add_scan_tests();
  add_cache_tests();
  add_pipeline_tests();
}

const Registration registration(add_bert_pipeline_tests);

}  // namespace

}  // namespace bert_native::test
