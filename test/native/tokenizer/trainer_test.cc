#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "check_throws.h"
#include "common/errors.h"
#include "harness.h"
#include "tokenizer/trainers/pair_counts.h"
#include "tokenizer/trainers/symbol_words.h"
#include "tokenizer/trainers/word_counts.h"
#include "tokenizer/trainers/wordpiece.h"

namespace bert_native::test {

namespace {

using Changes = std::map<SymbolPair, int>;

// Every occurrence from left to right; what becomes of the neighbours' pairs.
Changes merge_by_definition(std::vector<Symbol>& word, SymbolPair pair, Symbol merged) {
  Changes changes;
  for (size_t i = 0; i + 1 < word.size(); ++i) {
    if (pair_of(word[i], word[i + 1]) != pair) continue;
    if (i > 0) changes[pair_of(word[i - 1], word[i])] -= 1;
    if (i + 2 < word.size()) changes[pair_of(word[i + 1], word[i + 2])] -= 1;
    word[i] = merged;
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    if (i > 0) changes[pair_of(word[i - 1], merged)] += 1;
    if (i + 1 < word.size()) changes[pair_of(merged, word[i + 1])] += 1;
  }
  return changes;
}

void words_merge_by_definition(size_t length, Symbol alphabet) {
  std::mt19937 random(static_cast<unsigned>(length) + alphabet);
  SymbolWords words;
  std::vector<std::vector<Symbol>> expected(3);
  for (std::vector<Symbol>& word : expected) {
    for (size_t i = 0; i < length; ++i) {
      word.push_back(random() % alphabet);
      words.push_symbol(word.back());
    }
    words.end_word();
  }
  for (Symbol merged = alphabet; merged < alphabet + 60; ++merged) {
    const std::vector<Symbol>& word = expected[random() % expected.size()];
    if (word.size() < 2) continue;
    const size_t at = random() % (word.size() - 1);
    const SymbolPair pair = pair_of(word[at], word[at + 1]);
    // Now and then a piece that was there before.
    const Symbol symbol = random() % 4 == 0 ? random() % merged : merged;
    for (size_t i = 0; i < expected.size(); ++i) {
      Changes changes;
      words.merge(i, pair, symbol, [&](SymbolPair changed, int change) { changes[changed] += change; });
      const Changes wanted = merge_by_definition(expected[i], pair, symbol);
      std::erase_if(changes, [](const auto& entry) { return entry.second == 0; });
      Changes nonzero = wanted;
      std::erase_if(nonzero, [](const auto& entry) { return entry.second == 0; });
      BN_CHECK(changes == nonzero, "word " + std::to_string(i) + ", symbol " + std::to_string(symbol));
    }
  }
}

void words_are_counted() {
  std::mt19937 random(5);
  WordCounts counts;
  std::map<std::string, uint64_t> expected;
  std::vector<std::string> order;
  for (int i = 0; i < 20000; ++i) {
    std::string word(random() % 4, '\0');
    for (char& c : word) c = static_cast<char>(random() % 12);
    if (++expected[word] == 1) order.push_back(word);
    counts.add(word);
  }
  BN_CHECK(counts.size() == expected.size(), std::to_string(counts.size()));
  for (size_t i = 0; i < counts.size(); ++i) {
    BN_CHECK(counts.word(i) == order[i], "word " + std::to_string(i));
    BN_CHECK(counts.count(i) == expected[order[i]], "count " + std::to_string(i));
  }
}

void pairs_are_found_again() {
  std::mt19937_64 random(6);
  PairCounts counts;
  std::map<SymbolPair, size_t> expected;
  for (int i = 0; i < 20000; ++i) {
    const SymbolPair pair = pair_of(random() % 100, random() % 100);
    const size_t index = expected.emplace(pair, expected.size()).first->second;
    BN_CHECK(counts.index_of(pair) == index, std::to_string(i));
    counts.count(index) += 1;
  }
  BN_CHECK(counts.size() == expected.size(), std::to_string(counts.size()));
  for (const auto& [pair, index] : expected) BN_CHECK(counts.pair(index) == pair, std::to_string(index));
}

WordPieceTrainer trainer_of(WordPieceTrainerOptions options) {
  WordPieceTrainer trainer({}, std::move(options));
  trainer.count_words(u"Hug hug pug pun bun hugs\u00e9 \xd800");
  trainer.count_words(u"hug, bun");
  return trainer;
}

void a_vocabulary_is_trained() {
  TrainingProgress progress;
  const std::vector<std::string> expected{"[UNK]", ",",   "b",   "h",    "p",   "##e",  "##g",
                                          "##n",   "##s", "##u", "##ug", "hug", "##un", "bun"};
  WordPieceTrainerOptions options{100, 2, {}, {}, {"[UNK]"}, "##"};
  const std::vector<std::string> vocabulary = trainer_of(options).train(progress);
  // "e", "g", "n", "s" and "u" only continue words, but are characters all the same.
  std::vector<std::string> whole{"[UNK]", ",", "b", "e", "g", "h", "n", "p", "s", "u"};
  whole.insert(whole.end(), expected.begin() + 5, expected.end());
  BN_CHECK(vocabulary == whole, std::to_string(vocabulary.size()));
  BN_CHECK(progress.phase == TrainingProgress::Phase::kMerges, "the phase");
  BN_CHECK(progress.total == 100, "the total");
}

void training_stops_when_it_should() {
  TrainingProgress progress;
  progress.stop = true;
  check_throws(ErrorCode::kAborted, "aborted", [&] { trainer_of({}).train(progress); });
}

void add_tests() {
  for (const size_t length : {0, 1, 2, 40, 600, 3000}) {
    for (const Symbol alphabet : {1u, 2u, 5u}) {
      add("tokenizer/trainer: pairs in words of " + std::to_string(length) + " of " + std::to_string(alphabet) +
              " symbols merge as the definition says",
          [=] { words_merge_by_definition(length, alphabet); });
    }
  }
  add("tokenizer/trainer: words are counted", words_are_counted);
  add("tokenizer/trainer: pairs are found again", pairs_are_found_again);
  add("tokenizer/trainer: a vocabulary is trained", a_vocabulary_is_trained);
  add("tokenizer/trainer: training stops when it should", training_stops_when_it_should);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
