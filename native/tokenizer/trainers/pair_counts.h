#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/models/hash.h"
#include "tokenizer/trainers/symbol_words.h"

namespace bert_native {

// How often each pair of symbols stands side by side. Pairs have indices in the order in which they came first.
class PairCounts {
 public:
  // The index of the pair, which is new with the count 0 where it is not there yet.
  size_t index_of(SymbolPair pair) {
    if (2 * (pairs_.size() + 1) > slots_.size()) grow();
    const size_t mask = slots_.size() - 1;
    size_t i = mix_bits(pair) & mask;
    while (slots_[i] != kFree && pairs_[slots_[i]] != pair) i = (i + 1) & mask;
    if (slots_[i] == kFree) {
      slots_[i] = pairs_.size();
      pairs_.push_back(pair);
      counts_.push_back(0);
    }
    return slots_[i];
  }

  size_t size() const { return pairs_.size(); }
  SymbolPair pair(size_t index) const { return pairs_[index]; }
  int64_t& count(size_t index) { return counts_[index]; }

 private:
  static constexpr size_t kFree = ~size_t{0};

  void grow() {
    slots_.assign(slots_.empty() ? 1024 : 2 * slots_.size(), kFree);
    const size_t mask = slots_.size() - 1;
    for (size_t index = 0; index < pairs_.size(); ++index) {
      size_t i = mix_bits(pairs_[index]) & mask;
      while (slots_[i] != kFree) i = (i + 1) & mask;
      slots_[i] = index;
    }
  }

  std::vector<SymbolPair> pairs_;
  std::vector<int64_t> counts_;
  std::vector<size_t> slots_;  // a power of two, at most half of them in use
};

}  // namespace bert_native
