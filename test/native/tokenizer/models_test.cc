// What is expected of small vocabularies is what the Rust library tokenizers 0.23 makes of them.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "check_throws.h"
#include "harness.h"
#include "tokenizer/flat.h"
#include "tokenizer/models/model.h"
#include "tokenizer/models/token_cache.h"
#include "tokenizer/models/wordpiece.h"

namespace bert_native::test {

namespace {

using Strings = std::vector<std::string>;

// "id:begin-end" of each token.
std::string show(const std::vector<ModelToken>& tokens) {
  std::string text;
  for (const ModelToken& token : tokens) {
    if (!text.empty()) text += ' ';
    text += std::to_string(token.id) + ':' + std::to_string(token.begin) + '-' + std::to_string(token.end);
  }
  return text;
}

// A model with the vocabulary that it refers to.
class OwnedModel {
 public:
  template <typename Make>
  OwnedModel(const Strings& vocabulary, const Make& make)
      : vocabulary_(std::make_unique<FlatStrings>(flat(vocabulary))),
        model_(make(*vocabulary_)),
        scratch_(model_->make_scratch()) {}

  std::vector<ModelToken> tokenize(const std::string& word) const {
    std::vector<ModelToken> tokens;
    model_->tokenize(word, *scratch_, tokens);
    return tokens;
  }

  void expect(const std::string& word, const std::string& tokens) const {
    for (const char* when : {"", ", the second time"}) {
      const std::string got = show(tokenize(word));
      BN_CHECK(got == tokens, "'" + word + "': expected " + tokens + ", got " + got + when);
    }
  }

  const Model& operator*() const { return *model_; }

 private:
  std::unique_ptr<FlatStrings> vocabulary_;
  ModelPointer model_;
  std::unique_ptr<Model::Scratch> scratch_;
};

OwnedModel bpe(const Strings& vocabulary, const Strings& merges, const BpeOptions& options = {}) {
  return OwnedModel(vocabulary,
                    [&](const FlatStrings& entries) { return make_bpe_model(entries, flat(merges), options); });
}

OwnedModel unigram(const std::vector<std::pair<std::string, double>>& pieces, const UnigramOptions& options = {0}) {
  Strings vocabulary;
  std::vector<double> scores;
  for (const auto& [piece, score] : pieces) {
    vocabulary.push_back(piece);
    scores.push_back(score);
  }
  return OwnedModel(vocabulary,
                    [&](const FlatStrings& entries) { return make_unigram_model(entries, scores, options); });
}

const Strings kLower = {"l", "o", "w", "e", "r", "lo", "low", "er", "ow", "we"};

void add_bpe_tests() {
  add("models/bpe: merges go by rank, then from the left", [] {
    const OwnedModel model = bpe(kLower, {"e", "r", "l", "o", "lo", "w"});
    model.expect("lower", "6:0-3 7:3-5");
    model.expect("wlow", "2:0-1 6:1-4");
    model.expect("we", "2:0-1 3:1-2");
    const OwnedModel reordered = bpe(kLower, {"o", "w", "w", "e", "l", "o", "e", "r", "lo", "w"});
    reordered.expect("lower", "0:0-1 8:1-3 7:3-5");
    reordered.expect("lowe", "0:0-1 8:1-3 3:3-4");
    reordered.expect("low", "0:0-1 8:1-3");
    const OwnedModel repeated = bpe({"a", "aa", "aaaa"}, {"a", "a", "aa", "aa"});
    repeated.expect("aaaaaaa", "2:0-4 1:4-6 0:6-7");
    repeated.expect("aaaaa", "2:0-4 0:4-5");
  });
  add("models/bpe: of equal merges the last counts", [] {
    const OwnedModel model = bpe({"a", "b", "c", "ab", "bc"}, {"a", "b", "b", "c", "a", "b"});
    model.expect("abc", "0:0-1 4:1-3");
    model.expect("abcab", "0:0-1 4:1-3 3:3-5");
  });
  add("models/bpe: prefix and suffix", [] {
    BpeOptions options;
    options.continuing_subword_prefix = "##";
    options.end_of_word_suffix = "</w>";
    const OwnedModel model = bpe({"a", "##b", "##c</w>", "ab", "##b</w>", "abc</w>", "a</w>", "##c"},
                                 {"a", "##b", "ab", "##c</w>"}, options);
    model.expect("abc", "5:0-3");
    model.expect("ab", "0:0-1 4:1-2");
    model.expect("a", "6:0-1");
    model.expect("abcc", "3:0-2 7:2-3 2:3-4");
    model.expect("abbc", "3:0-2 1:2-3 2:3-4");
    model.expect("ba", "");
  });
  add("models/bpe: unknown characters", [] {
    const Strings vocabulary = {"<unk>", "a", "b", "ab"}, merges = {"a", "b"};
    BpeOptions options;
    options.unk_id = 0;
    const OwnedModel apart = bpe(vocabulary, merges, options);
    apart.expect("xyab", "0:0-1 0:1-2 3:2-4");
    apart.expect("axyb", "1:0-1 0:1-2 0:2-3 2:3-4");
    apart.expect("é", "0:0-2");
    options.fuse_unk = true;
    const OwnedModel fused = bpe(vocabulary, merges, options);
    fused.expect("xyab", "0:0-2 3:2-4");
    fused.expect("axyb", "1:0-1 0:1-3 2:3-4");
    fused.expect("éé", "0:0-4");
    const OwnedModel dropped = bpe({"a", "b", "ab"}, {"a", "b"});
    dropped.expect("axb", "2:0-2");
    dropped.expect("x", "");
    options.fuse_unk = false;
    const OwnedModel merged = bpe({"<unk>", "a", "<unk>a"}, {"<unk>", "a"}, options);
    merged.expect("xxa", "0:0-1 2:1-3");
  });
  add("models/bpe: bytes of unknown characters", [] {
    BpeOptions options;
    options.byte_fallback = true;
    bpe({"<0xC3>", "<0xA9>", "<0xC3><0xA9>"}, {"<0xC3>", "<0xA9>"}, options).expect("éé", "2:0-2 2:2-4");
    options.unk_id = 0;
    options.fuse_unk = true;
    const OwnedModel model = bpe({"<unk>", "a", "<0xC3>", "<0xA9>", "<0x62>"}, {}, options);
    model.expect("aéa", "1:0-1 2:1-2 3:2-3 1:3-4");
    model.expect("b", "4:0-1");
    model.expect("xéa", "2:0-1 3:1-2 0:2-3 1:3-4");
    model.expect("cbc", "4:0-1 0:1-3");
    options.continuing_subword_prefix = "##";
    bpe({"<unk>", "a", "<0x23>", "<0x62>"}, {}, options).expect("ab", "1:0-1 2:1-2 2:2-2 3:2-2");
  });
  add("models/bpe: entries as they are", [] {
    const Strings vocabulary = {"a", "b", "c", "abc", "bc"}, merges = {"b", "c"};
    BpeOptions options;
    bpe(vocabulary, merges, options).expect("abc", "0:0-1 4:1-3");
    options.ignore_merges = true;
    const OwnedModel model = bpe(vocabulary, merges, options);
    model.expect("abc", "3:0-3");
    model.expect("abcb", "0:0-1 4:1-3 1:3-4");
  });
  add("models/bpe: ids", [] {
    const OwnedModel model = bpe({"a", "", "b", "a"}, {});
    BN_CHECK((*model).id_of("a") == 3, "the last of equal entries");
    BN_CHECK((*model).id_of("") == 1, "an empty entry");
    BN_CHECK((*model).id_of("c") == Model::kNoId, "no entry");
    model.expect("ab", "3:0-1 2:1-2");
  });
  add("models/bpe: merges that do not fit are refused", [] {
    const auto refused = [](const Strings& vocabulary, const Strings& merges, const std::string& prefix,
                            const std::string& part) {
      BpeOptions options;
      options.continuing_subword_prefix = prefix;
      check_throws(ErrorCode::kFileFormat, part, [&] { bpe(vocabulary, merges, options); });
    };
    refused({"a", "b", "ab"}, {"a", "b", "ab", "b"}, "", "merge 1 of the BPE model ('ab' and 'b'): 'abb' is not in");
    refused({"a", "b", "ab"}, {"a", "b", "ab", "c"}, "", "'c' is not in the vocabulary");
    refused({"a", "b", "ab"}, {"a", "b"}, "##", "shorter than the prefix '##'");
    refused({"a", "b", "ab"}, {"a"}, "", "pairs");
    BpeOptions options;
    options.unk_id = 3;
    check_throws(ErrorCode::kFileFormat, "id 3, but its vocabulary has 3 entries", [&] {
      bpe({"a", "b", "ab"}, {}, options);
    });
  });
}

// Merges by the definition: the pair of the smallest rank, the leftmost of those, again and again.
class PlainBpe {
 public:
  PlainBpe(const Strings& vocabulary, const Strings& merges) : merges_(merges) {
    for (size_t id = 0; id < vocabulary.size(); ++id) ids_[vocabulary[id]] = static_cast<int32_t>(id);
  }

  std::vector<ModelToken> tokenize(const std::string& word) const {
    Strings symbols;
    for (const char c : word) symbols.emplace_back(1, c);
    while (merge_one(symbols)) continue;
    std::vector<ModelToken> tokens;
    size_t begin = 0;
    for (const std::string& symbol : symbols) {
      tokens.push_back({ids_.at(symbol), begin, begin + symbol.size()});
      begin += symbol.size();
    }
    return tokens;
  }

 private:
  bool merge_one(Strings& symbols) const {
    for (size_t rank = 0; rank < merges_.size() / 2; ++rank) {
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (symbols[i] != merges_[2 * rank] || symbols[i + 1] != merges_[2 * rank + 1]) continue;
        symbols[i] += symbols[i + 1];
        symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(i) + 1);
        return true;
      }
    }
    return false;
  }

  Strings merges_;
  std::map<std::string, int32_t> ids_;
};

std::string random_word(std::mt19937& random, size_t size, unsigned letters) {
  std::string word(size, ' ');
  for (char& c : word) c = static_cast<char>('a' + random() % letters);
  return word;
}

void add_long_word_tests() {
  add("models/bpe: random merges as by the definition, in short and long words", [] {
    std::mt19937 random(7);
    for (int round = 0; round < 30; ++round) {
      Strings vocabulary = {"a", "b", "c"}, merges;
      std::map<std::pair<std::string, std::string>, bool> known;
      for (int i = 0; i < 30; ++i) {
        const std::string left = vocabulary[random() % vocabulary.size()];
        const std::string right = vocabulary[random() % vocabulary.size()];
        if (std::exchange(known[{left, right}], true)) continue;
        if (std::find(vocabulary.begin(), vocabulary.end(), left + right) == vocabulary.end()) {
          vocabulary.push_back(left + right);
        }
        const auto place = static_cast<ptrdiff_t>(random() % (merges.size() / 2 + 1) * 2);
        merges.insert(merges.begin() + place, {left, right});
      }
      const PlainBpe expected(vocabulary, merges);
      const OwnedModel model = bpe(vocabulary, merges);
      for (size_t size = 1; size < 120; size += 1 + size / 8) {
        const std::string word = random_word(random, size, 3);
        model.expect(word, show(expected.tokenize(word)));
      }
    }
  });
  add("models/bpe: a megabyte of one character", [] {
    const OwnedModel model = bpe({"a", "aa", "aaaa"}, {"a", "a", "aa", "aa"});
    const size_t size = (size_t{1} << 20) + 3;
    const std::vector<ModelToken> tokens = model.tokenize(std::string(size, 'a'));
    BN_CHECK(tokens.size() == (size >> 2) + 2, std::to_string(tokens.size()));
    BN_CHECK((tokens[1] == ModelToken{2, 4, 8}), show({tokens[1]}));
    BN_CHECK((tokens.back() == ModelToken{0, size - 1, size}), show({tokens.back()}));
  });
  add("models/unigram: a megabyte of one character", [] {
    const OwnedModel model = unigram({{"<unk>", -9}, {"a", -1}, {"aaa", -2}});
    const size_t size = (size_t{1} << 20) + 2;
    const std::vector<ModelToken> tokens = model.tokenize(std::string(size, 'a'));
    BN_CHECK(tokens.size() == size / 3, std::to_string(tokens.size()));
    BN_CHECK((tokens.back() == ModelToken{2, size - 3, size}), show({tokens.back()}));
    const std::vector<ModelToken> unknown = model.tokenize(std::string(size, 'b'));
    BN_CHECK(show(unknown) == "0:0-" + std::to_string(size), show(unknown));
  });
}

void add_unigram_tests() {
  add("models/unigram: the best sequence of pieces", [] {
    const OwnedModel model =
        unigram({{"<unk>", 0}, {"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}, {"cd", 1}, {"ab", 2}, {"abc", 5}, {"abcd", 10}});
    model.expect("abcdacdxx", "8:0-4 1:4-5 5:5-7 0:7-9");
    model.expect("abc", "7:0-3");
    model.expect("xaxx", "0:0-1 1:1-2 0:2-4");
    model.expect("<unk>", "0:0-5");
    model.expect("dcba", "4:0-1 3:1-2 2:2-3 1:3-4");
  });
  add("models/unigram: of equal scores the longest last piece", [] {
    const OwnedModel model = unigram({{"<unk>", -5}, {"a", -1}, {"b", -1}, {"c", -1}, {"ab", -2}, {"bc", -2}});
    model.expect("abc", "1:0-1 5:1-3");
    model.expect("abcabc", "1:0-1 5:1-3 1:3-4 5:4-6");
    unigram({{"<unk>", -5}, {"a", -1}, {"b", -1}, {"c", -1}, {"ab", -2}, {"bc", -2}, {"abc", -3}})
        .expect("abc", "6:0-3");
  });
  add("models/unigram: unknown characters together may be an entry", [] {
    const OwnedModel model = unigram({{"<unk>", 100}, {"xy", 95}, {"a", 96}});
    model.expect("xy", "1:0-2");
    model.expect("axya", "2:0-1 1:1-3 2:3-4");
    model.expect("xyx", "0:0-3");
  });
  add("models/unigram: bytes of unknown characters", [] {
    const OwnedModel model = unigram({{"<unk>", -5}, {"a", -1}, {"<0xC3>", -9}, {"<0xA9>", -9}}, {0, true});
    model.expect("aéa", "1:0-1 2:1-3 3:1-3 1:3-4");
    model.expect("éé", "2:0-4 3:0-4 2:0-4 3:0-4");
    model.expect("aéx", "1:0-1 0:1-4");
    model.expect("xx", "0:0-2");
  });
  add("models/unigram: ids and refusals", [] {
    const OwnedModel model = unigram({{"<unk>", -5}, {"a", -9}, {"", -3}, {"b", -1}, {"a", -1}});
    model.expect("ab", "4:0-1 3:1-2");
    BN_CHECK((*model).id_of("a") == 4, "the last of equal entries");
    BN_CHECK((*model).id_of("") == 2, "an empty entry");
    BN_CHECK((*model).id_of("c") == Model::kNoId, "no entry");
    const OwnedModel without_unknown = unigram({{"a", -1}, {"ab", -2}}, {});
    without_unknown.expect("aab", "0:0-1 1:1-3");
    check_throws(ErrorCode::kOption, "'b' is not in the vocabulary", [&] { without_unknown.tokenize("b"); });
    check_throws(ErrorCode::kFileFormat, "id 7, but its vocabulary has 1 entries", [] { unigram({{"a", 0}}, {7}); });
    const FlatStrings vocabulary = flat({"a", "b"});
    check_throws(ErrorCode::kFileFormat, "2 pieces, but 1 scores", [&] { make_unigram_model(vocabulary, {0}, {0}); });
  });
  add("models/unigram: no sequence of pieces scores higher", [] {
    std::mt19937 random(3);
    std::vector<std::pair<std::string, double>> pieces = {{"<unk>", -30}, {"a", -4}, {"b", -5}, {"c", -6}};
    std::map<std::string, double> scores;
    for (int i = 0; i < 40; ++i) {
      pieces.emplace_back(random_word(random, 2 + random() % 4, 3), -1.0 - random() % 1000 / 100.0);
    }
    for (const auto& [piece, score] : pieces) scores[piece] = score;
    const OwnedModel model = unigram(pieces);
    for (int i = 0; i < 300; ++i) {
      const std::string word = random_word(random, 1 + random() % 40, 3);
      std::vector<double> best(word.size() + 1, -std::numeric_limits<double>::infinity());
      best[0] = 0;
      for (size_t end = 1; end <= word.size(); ++end) {
        for (size_t begin = 0; begin < end; ++begin) {
          const auto found = scores.find(word.substr(begin, end - begin));
          if (found != scores.end()) best[end] = std::max(best[end], best[begin] + found->second);
        }
      }
      double score = 0;
      for (const ModelToken& token : model.tokenize(word)) {
        score += scores.at(word.substr(token.begin, token.end - token.begin));
      }
      BN_CHECK(std::abs(score - best.back()) < 1e-9, word);
    }
  });
}

void add_word_tests() {
  add("models/word level: whole words", [] {
    const Strings vocabulary = {"[UNK]", "ab", "", "ab"};
    const auto make = [&](std::optional<int32_t> unk_id) {
      return OwnedModel(vocabulary, [&](const FlatStrings& entries) { return make_word_level_model(entries, unk_id); });
    };
    const OwnedModel model = make(0);
    model.expect("ab", "3:0-2");
    model.expect("abc", "0:0-3");
    BN_CHECK((*model).id_of("") == 2 && (*model).id_of("abc") == Model::kNoId, "ids");
    const OwnedModel without_unknown = make(std::nullopt);
    without_unknown.expect("ab", "3:0-2");
    check_throws(ErrorCode::kOption, "'c' is not in the vocabulary", [&] { without_unknown.tokenize("c"); });
    check_throws(ErrorCode::kFileFormat, "id 4, but its vocabulary has 4 entries", [&] { make(4); });
  });
  add("models/wordpiece: the longest pieces first, or unknown", [] {
    WordPieceOptions options;
    options.max_input_chars_per_word = 4;
    const OwnedModel model({"[UNK]", "ba", "##na", "한", "##국", ""},
                           [&](const FlatStrings& entries) { return make_wordpiece_model(entries, options); });
    model.expect("bana", "1:0-2 2:2-4");
    model.expect("nana", "0:0-4");
    model.expect("banana", "0:0-6");
    model.expect("bab", "0:0-3");
    model.expect("한국국국", "3:0-3 4:3-6 4:6-9 4:9-12");
    model.expect("한국국국국", "0:0-15");
    BN_CHECK((*model).id_of("##na") == 2 && (*model).id_of("") == 5, "ids");
    BN_CHECK((*model).id_of("na") == Model::kNoId, "no entry");
  });
}

void add_cache_tests() {
  add("models/cache: what it finds is what was put in", [] {
    TokenCache cache;
    std::mt19937 random(1);
    std::map<std::string, std::vector<ModelToken>> expected;
    size_t found = 0;
    for (int i = 0; i < 200000; ++i) {
      const std::string word = random_word(random, 1 + random() % 60, 1 + static_cast<unsigned>(i) % 5);
      std::vector<ModelToken> tokens;
      if (cache.find(word, tokens)) {
        BN_CHECK(expected.contains(word) && expected[word] == tokens, word + ": " + show(tokens));
        ++found;
        continue;
      }
      size_t begin = 0;
      while (begin < word.size()) {
        const size_t end = std::min(word.size(), begin + 1 + random() % 5);
        tokens.push_back({static_cast<int32_t>(random() % 100000), begin, end});
        begin = end;
      }
      cache.insert(word, tokens);
      expected[word] = tokens;
    }
    BN_CHECK(found > 10000, std::to_string(found));
  });
  add("models/cache: tokens with gaps are not kept", [] {
    TokenCache cache;
    std::vector<ModelToken> tokens;
    cache.insert("abc", std::vector<ModelToken>{{1, 0, 1}, {2, 2, 3}});
    BN_CHECK(!cache.find("abc", tokens), show(tokens));
    cache.insert("abc", std::vector<ModelToken>{});
    BN_CHECK(cache.find("abc", tokens) && tokens.empty(), show(tokens));
  });
}

const Registration registration([] {
  add_bpe_tests();
  add_long_word_tests();
  add_unigram_tests();
  add_word_tests();
  add_cache_tests();
});

}  // namespace

}  // namespace bert_native::test
