#include "tokenizer/models/token_cache.h"

#include <cstring>
#include <utility>

#include "tokenizer/models/hash.h"

namespace bert_native {

namespace {

bool is_contiguous(std::span<const ModelToken> tokens, size_t size) {
  size_t begin = 0;
  for (const ModelToken& token : tokens) {
    if (token.begin != begin) return false;
    begin = token.end;
  }
  return begin <= size;
}

}  // namespace

TokenCache::TokenCache() : slots_(kFirstSlots) {}

bool TokenCache::holds(const Slot& slot, std::string_view word) {
  return slot.size == word.size() && std::memcmp(slot.bytes, word.data(), word.size()) == 0;
}

size_t TokenCache::pair_of(std::string_view word) const { return hash_bytes(word) & (slots_.size() - 2); }

bool TokenCache::find(std::string_view word, std::vector<ModelToken>& tokens) const {
  if (word.size() > kMaxBytes) return false;
  const Slot* slot = &slots_[pair_of(word)];
  if (!holds(*slot, word) && !holds(*++slot, word)) return false;
  size_t begin = 0;
  for (size_t i = 0; i < slot->tokens; ++i) {
    tokens.push_back({slot->ids[i], begin, slot->ends[i]});
    begin = slot->ends[i];
  }
  return true;
}

void TokenCache::insert(std::string_view word, std::span<const ModelToken> tokens) {
  if (word.size() > kMaxBytes || tokens.size() > kMaxTokens || !is_contiguous(tokens, word.size())) return;
  if (2 * used_ >= slots_.size() && slots_.size() < kMaxSlots) grow();
  Slot& slot = slot_for(word);
  if (slot.size == 0) used_ += 1;
  slot.size = static_cast<uint8_t>(word.size());
  slot.tokens = static_cast<uint8_t>(tokens.size());
  std::memcpy(slot.bytes, word.data(), word.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    slot.ids[i] = tokens[i].id;
    slot.ends[i] = static_cast<uint8_t>(tokens[i].end);
  }
}

TokenCache::Slot& TokenCache::slot_for(std::string_view word) {
  Slot* pair = &slots_[pair_of(word)];
  for (size_t i = 0; i < 2; ++i) {
    if (pair[i].size == 0) return pair[i];
  }
  victim_ ^= 1;
  return pair[victim_];
}

void TokenCache::grow() {
  std::vector<Slot> old(4 * slots_.size());
  std::swap(old, slots_);
  used_ = 0;
  for (const Slot& slot : old) {
    if (slot.size == 0) continue;
    Slot& place = slot_for({slot.bytes, slot.size});
    if (place.size == 0) used_ += 1;
    place = slot;
  }
}

}  // namespace bert_native
