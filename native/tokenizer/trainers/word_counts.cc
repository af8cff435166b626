#include "tokenizer/trainers/word_counts.h"

#include <algorithm>

#include "common/errors.h"
#include "tokenizer/models/hash.h"

namespace bert_native {

void WordCounts::add(std::string_view word) {
  if (2 * (entries_.size() + 1) > slots_.size()) grow();
  const uint64_t hash = hash_bytes(word);
  uint32_t& slot = slots_[slot_of(word, hash)];
  if (slot != kFree) {
    entries_[slot].count += 1;
    return;
  }
  if (entries_.size() == kFree) throw Error(ErrorCode::kMemory, "there are more than 4294967295 distinct words");
  entries_.push_back({bytes_.size(), word.size(), hash, 1});
  bytes_ += word;
  slot = static_cast<uint32_t>(entries_.size() - 1);
}

size_t WordCounts::slot_of(std::string_view word, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  while (slots_[i] != kFree && (entries_[slots_[i]].hash != hash || this->word(slots_[i]) != word)) i = (i + 1) & mask;
  return i;
}

void WordCounts::grow() {
  const size_t size = std::max<size_t>(1024, 2 * slots_.size());
  slots_.assign(size, kFree);
  for (size_t entry = 0; entry < entries_.size(); ++entry) {
    size_t i = entries_[entry].hash & (size - 1);
    while (slots_[i] != kFree) i = (i + 1) & (size - 1);
    slots_[i] = static_cast<uint32_t>(entry);
  }
}

}  // namespace bert_native
