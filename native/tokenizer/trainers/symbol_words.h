#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace bert_native {

using Symbol = uint32_t;

// Two symbols that stand side by side; compares by the left one first.
using SymbolPair = uint64_t;

constexpr SymbolPair pair_of(Symbol left, Symbol right) { return SymbolPair{left} << 32 | right; }
constexpr Symbol left_of(SymbolPair pair) { return static_cast<Symbol>(pair >> 32); }
constexpr Symbol right_of(SymbolPair pair) { return static_cast<Symbol>(pair); }

// Words as sequences of symbols, in which pairs are merged into one.
class SymbolWords {
 public:
  void push_symbol(Symbol symbol) { symbols_.push_back(symbol); }
  // The symbols since the last call are a word.
  void end_word();

  size_t size() const { return words_.size(); }

  // Calls sink(pair) for each pair of the word from left to right. Only before anything is merged.
  template <typename Sink>
  void each_pair(size_t word, Sink&& sink) const {
    const Symbol* symbols = symbols_.data() + words_[word].begin;
    for (size_t i = 1; i < words_[word].size; ++i) sink(pair_of(symbols[i - 1], symbols[i]));
  }

  // Merges every occurrence of the pair in the word, from left to right. Calls sink(pair, change) for each pair with a
  // neighbour that is no longer there, -1, and that came instead, +1.
  template <typename Sink>
  void merge(size_t word, SymbolPair pair, Symbol merged, Sink&& sink) {
    if (words_[word].size > kLongWord) {
      long_word(word).merge(pair, merged, sink);
      return;
    }
    Word& own = words_[word];
    Symbol* const symbols = symbols_.data() + own.begin;
    size_t end = 0;
    for (size_t i = 0; i < own.size; ++i, ++end) {
      if (i + 1 == own.size || pair_of(symbols[i], symbols[i + 1]) != pair) {
        symbols[end] = symbols[i];
        continue;
      }
      if (end > 0) replace_pair(symbols[end - 1], left_of(pair), symbols[end - 1], merged, sink);
      ++i;
      if (i + 1 < own.size) replace_pair(right_of(pair), symbols[i + 1], merged, symbols[i + 1], sink);
      symbols[end] = merged;
    }
    own.size = end;
  }

 private:
  // Longer words know where their pairs stand: reading all of such a word for each merge could take forever.
  static constexpr size_t kLongWord = 512;

  struct Word {
    size_t begin, size;
  };

  template <typename Sink>
  static void replace_pair(Symbol left, Symbol right, Symbol new_left, Symbol new_right, Sink& sink) {
    sink(pair_of(left, right), -1);
    sink(pair_of(new_left, new_right), 1);
  }

  // A linked list of symbols, and the positions of each pair.
  class LongWord {
   public:
    LongWord(const Symbol* symbols, size_t size);

    template <typename Sink>
    void merge(SymbolPair pair, Symbol merged, Sink& sink) {
      for (const uint32_t at : take_positions(pair)) {
        const uint32_t second = nodes_[at].next;
        if (nodes_[at].symbol != left_of(pair) || second == kNone || nodes_[second].symbol != right_of(pair)) continue;
        const uint32_t before = nodes_[at].previous, behind = nodes_[second].next;
        if (before != kNone) replace_pair(nodes_[before].symbol, left_of(pair), nodes_[before].symbol, merged, sink);
        if (behind != kNone) replace_pair(right_of(pair), nodes_[behind].symbol, merged, nodes_[behind].symbol, sink);
        join(at, second, merged);
      }
    }

   private:
    struct Node {
      Symbol symbol;
      uint32_t previous, next;
    };

    static constexpr uint32_t kNone = 0xffffffff;
    static constexpr Symbol kGone = 0xffffffff;

    // Where the pair stood when each was found, in ascending order.
    std::vector<uint32_t> take_positions(SymbolPair pair);
    void join(uint32_t first, uint32_t second, Symbol merged);
    void note_position(uint32_t first);

    std::vector<Node> nodes_;
    std::unordered_map<SymbolPair, std::vector<uint32_t>> positions_;
  };

  LongWord& long_word(size_t word);

  std::vector<Symbol> symbols_;
  std::vector<Word> words_;
  std::unordered_map<size_t, LongWord> long_words_;
};

}  // namespace bert_native
