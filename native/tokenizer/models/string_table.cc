#include "tokenizer/models/string_table.h"

#include <bit>

#include "tokenizer/models/hash.h"

namespace bert_native {

namespace {

uint32_t fingerprint_of(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }

}  // namespace

StringTable::StringTable(const FlatStrings& vocabulary)
    : vocabulary_(vocabulary), slots_(std::bit_ceil(2 * vocabulary.size() + 1)) {
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    const uint64_t hash = hash_bytes(vocabulary[id]);
    slots_[slot_of(vocabulary[id], hash)] = {fingerprint_of(hash), static_cast<int32_t>(id)};
  }
}

size_t StringTable::slot_of(std::string_view key, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.id == kNoId) return i;
    if (slot.fingerprint == fingerprint_of(hash) && vocabulary_[static_cast<size_t>(slot.id)] == key) return i;
  }
}

int32_t StringTable::find(std::string_view key) const { return slots_[slot_of(key, hash_bytes(key))].id; }

}  // namespace bert_native
