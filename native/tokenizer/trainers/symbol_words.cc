#include "tokenizer/trainers/symbol_words.h"

#include <algorithm>
#include <utility>

namespace bert_native {

void SymbolWords::end_word() {
  const size_t begin = words_.empty() ? 0 : words_.back().begin + words_.back().size;
  words_.push_back({begin, symbols_.size() - begin});
}

SymbolWords::LongWord& SymbolWords::long_word(size_t word) {
  auto found = long_words_.find(word);
  if (found == long_words_.end()) {
    found = long_words_.emplace(word, LongWord(symbols_.data() + words_[word].begin, words_[word].size)).first;
  }
  return found->second;
}

SymbolWords::LongWord::LongWord(const Symbol* symbols, size_t size) : nodes_(size) {
  for (uint32_t i = 0; i < size; ++i) nodes_[i] = {symbols[i], i == 0 ? kNone : i - 1, i + 1 == size ? kNone : i + 1};
  for (uint32_t i = 0; i < size; ++i) note_position(i);
}

std::vector<uint32_t> SymbolWords::LongWord::take_positions(SymbolPair pair) {
  const auto found = positions_.find(pair);
  if (found == positions_.end()) return {};
  std::vector<uint32_t> positions = std::move(found->second);
  positions_.erase(found);
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  return positions;
}

void SymbolWords::LongWord::join(uint32_t first, uint32_t second, Symbol merged) {
  const uint32_t before = nodes_[first].previous, behind = nodes_[second].next;
  nodes_[first] = {merged, before, behind};
  nodes_[second].symbol = kGone;
  if (behind != kNone) nodes_[behind].previous = first;
  note_position(first);
  if (before != kNone) note_position(before);
}

void SymbolWords::LongWord::note_position(uint32_t first) {
  const uint32_t second = nodes_[first].next;
  if (second != kNone) positions_[pair_of(nodes_[first].symbol, nodes_[second].symbol)].push_back(first);
}

}  // namespace bert_native
