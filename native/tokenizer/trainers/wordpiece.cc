#include "tokenizer/trainers/wordpiece.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "common/errors.h"
#include "tokenizer/trainers/pair_counts.h"
#include "tokenizer/trainers/symbol_words.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

using Phase = TrainingProgress::Phase;

void set_phase(TrainingProgress& progress, Phase phase, uint64_t total) {
  progress.done = 0;
  progress.total = total;
  progress.phase = phase;
}

void set_done(TrainingProgress& progress, uint64_t done) {
  if (progress.stop) throw Error(ErrorCode::kAborted, "training was aborted");
  progress.done = done;
}

std::string to_utf8(char32_t c) {
  char bytes[unicode::kMaxUtf8Bytes];
  return std::string(bytes, unicode::encode_utf8(c, bytes));
}

class Vocabulary {
 public:
  // Of a token that is there already: its id.
  Symbol add(const std::string& token) {
    const auto [found, is_new] = ids_.emplace(token, static_cast<Symbol>(tokens_.size()));
    if (is_new) tokens_.push_back(token);
    return found->second;
  }

  size_t size() const { return tokens_.size(); }
  const std::string& token(Symbol id) const { return tokens_[id]; }
  const Symbol* find(const std::string& token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? nullptr : &found->second;
  }
  std::vector<std::string> take() && { return std::move(tokens_); }

 private:
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, Symbol> ids_;
};

class Training {
 public:
  Training(const WordPieceTrainerOptions& options, const WordCounts& words, TrainingProgress& progress)
      : options_(options), word_counts_(words), progress_(progress) {}

  std::vector<std::string> run() && {
    for (const std::string& token : options_.special_tokens) vocabulary_.add(token);
    set_phase(progress_, Phase::kPairs, 2 * word_counts_.size());
    add_alphabet();
    spell_words();
    count_pairs();
    set_phase(progress_, Phase::kMerges, options_.vocab_size);
    merge_pairs();
    return std::move(vocabulary_).take();
  }

 private:
  // A pair to be merged, once its turn comes, in words where it stood when it was put here. The same pair may wait more
  // than once: a piece that is made in two ways comes to new places when it is made the second time.
  struct Candidate {
    int64_t count;
    SymbolPair pair;
    size_t index;  // in pair_counts_
    uint64_t serial;
    std::vector<uint32_t> words;

    // The most frequent first, then the lowest ids.
    bool operator<(const Candidate& other) const {
      if (count != other.count) return count < other.count;
      return pair != other.pair ? pair > other.pair : serial > other.serial;
    }
  };

  struct PairInWord {
    size_t pair;  // its index
    uint32_t word;

    auto operator<=>(const PairInWord&) const = default;
  };

  template <typename Visit>
  void each_character(size_t word, Visit&& visit) const {
    const std::string_view text = word_counts_.word(word);
    for (size_t i = 0; i < text.size();) {
      const auto [c, length] = unicode::decode_utf8(text.substr(i));
      visit(c, i == 0);
      i += length;
    }
  }

  void add_alphabet() {
    std::unordered_map<char32_t, uint64_t> counts;
    for (size_t word = 0; word < word_counts_.size(); ++word) {
      each_character(word, [&](char32_t c, bool) { counts[c] += word_counts_.count(word); });
      set_done(progress_, word / 2);
    }
    for (const char32_t c : options_.initial_alphabet) counts[c] = std::numeric_limits<uint64_t>::max();
    for (const char32_t c : most_frequent({counts.begin(), counts.end()})) vocabulary_.add(to_utf8(c));
  }

  // In the order of their code points.
  std::u32string most_frequent(std::vector<std::pair<char32_t, uint64_t>> counts) const {
    if (options_.limit_alphabet && counts.size() > *options_.limit_alphabet) {
      std::sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) {
        return a.second != b.second ? a.second > b.second : a.first < b.first;
      });
      counts.resize(*options_.limit_alphabet);
    }
    std::u32string characters;
    for (const auto& [c, count] : counts) characters += c;
    std::sort(characters.begin(), characters.end());
    return characters;
  }

  // Words to symbols; characters that the vocabulary lacks are left out.
  void spell_words() {
    const std::unordered_map<char32_t, Symbol> continuing = add_continuing_characters();
    for (size_t word = 0; word < word_counts_.size(); ++word) {
      each_character(word, [&](char32_t c, bool is_first) {
        if (!is_first) {
          const auto known = continuing.find(c);
          if (known != continuing.end()) words_.push_symbol(known->second);
        } else if (const Symbol* const id = vocabulary_.find(to_utf8(c))) {
          words_.push_symbol(*id);
        }
      });
      words_.end_word();
    }
  }

  std::unordered_map<char32_t, Symbol> add_continuing_characters() {
    std::set<char32_t> characters;
    for (size_t word = 0; word < word_counts_.size(); ++word) {
      each_character(word, [&](char32_t c, bool is_first) {
        if (!is_first) characters.insert(c);
      });
    }
    std::unordered_map<char32_t, Symbol> ids;
    for (const char32_t c : characters) {
      const std::string character = to_utf8(c);
      if (vocabulary_.find(character) == nullptr) continue;
      ids.emplace(c, vocabulary_.add(options_.continuing_subword_prefix + character));
    }
    return ids;
  }

  void count_pairs() {
    std::vector<std::vector<uint32_t>> words_of_pair;
    for (size_t word = 0; word < words_.size(); ++word) {
      words_.each_pair(word, [&](SymbolPair pair) {
        const size_t index = pair_counts_.index_of(pair);
        pair_counts_.count(index) += static_cast<int64_t>(word_counts_.count(word));
        words_of_pair.resize(pair_counts_.size());
        std::vector<uint32_t>& words = words_of_pair[index];
        if (words.empty() || words.back() != word) words.push_back(static_cast<uint32_t>(word));
      });
      set_done(progress_, (word_counts_.size() + word) / 2);
    }
    for (size_t index = 0; index < words_of_pair.size(); ++index) push(index, std::move(words_of_pair[index]));
  }

  void push(size_t index, std::vector<uint32_t> words) {
    push({pair_counts_.count(index), pair_counts_.pair(index), index, next_serial_++, std::move(words)});
  }

  void push(Candidate candidate) {
    queue_.push_back(std::move(candidate));
    std::push_heap(queue_.begin(), queue_.end());
  }

  Candidate pop() {
    std::pop_heap(queue_.begin(), queue_.end());
    Candidate top = std::move(queue_.back());
    queue_.pop_back();
    return top;
  }

  void merge_pairs() {
    while (vocabulary_.size() < options_.vocab_size && !queue_.empty()) {
      set_done(progress_, vocabulary_.size());
      Candidate top = pop();
      // Counts change while a pair waits.
      const int64_t count = pair_counts_.count(top.index);
      if (top.count != count) {
        top.count = count;
        push(std::move(top));
        continue;
      }
      if (count < 1 || static_cast<uint64_t>(count) < options_.min_frequency) return;
      merge(top);
    }
  }

  void merge(const Candidate& top) {
    const Symbol merged = vocabulary_.add(joined(left_of(top.pair), right_of(top.pair)));
    std::vector<PairInWord> made;
    for (const uint32_t word : top.words) {
      const auto occurrences = static_cast<int64_t>(word_counts_.count(word));
      words_.merge(word, top.pair, merged, [&](SymbolPair pair, int change) {
        const size_t index = pair_counts_.index_of(pair);
        pair_counts_.count(index) += change * occurrences;
        if (change > 0) made.push_back({index, word});
      });
    }
    std::sort(made.begin(), made.end());
    made.erase(std::unique(made.begin(), made.end()), made.end());
    for (size_t i = 0; i < made.size();) {
      const size_t index = made[i].pair;
      std::vector<uint32_t> words;
      for (; i < made.size() && made[i].pair == index; ++i) words.push_back(made[i].word);
      if (pair_counts_.count(index) > 0) push(index, std::move(words));
    }
  }

  std::string joined(Symbol left, Symbol right) const {
    const std::string& prefix = options_.continuing_subword_prefix;
    std::string_view rest = vocabulary_.token(right);
    if (rest.substr(0, prefix.size()) == prefix) rest.remove_prefix(prefix.size());
    return vocabulary_.token(left) + std::string(rest);
  }

  const WordPieceTrainerOptions& options_;
  const WordCounts& word_counts_;
  TrainingProgress& progress_;
  Vocabulary vocabulary_;
  SymbolWords words_;
  PairCounts pair_counts_;
  std::vector<Candidate> queue_;  // a heap
  uint64_t next_serial_ = 0;
};

}  // namespace

WordPieceTrainer::WordPieceTrainer(const BertNormalizerOptions& normalizer, WordPieceTrainerOptions options)
    : options_(std::move(options)), pre_tokenizer_(normalizer, DoubleArrayTrie({})) {}

void WordPieceTrainer::count_words(std::u16string_view text) {
  pre_tokenizer_.split(text, 0, buffer_, [this](const WordBuffer& word, int32_t) {
    words_.add(word.bytes());
    return true;
  });
}

std::vector<std::string> WordPieceTrainer::train(TrainingProgress& progress) const {
  return Training(options_, words_, progress).run();
}

}  // namespace bert_native
