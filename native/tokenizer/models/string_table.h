#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/flat_strings.h"

namespace bert_native {

// From the strings of a vocabulary to their ids, by open addressing. Keeps a reference to the vocabulary.
class StringTable {
 public:
  static constexpr int32_t kNoId = -1;

  // Of equal strings the last counts.
  explicit StringTable(const FlatStrings& vocabulary);

  int32_t find(std::string_view key) const;

 private:
  struct Slot {
    uint32_t fingerprint = 0;
    int32_t id = kNoId;
  };

  // The slot that holds `key`, or the free one that would.
  size_t slot_of(std::string_view key, uint64_t hash) const;

  const FlatStrings& vocabulary_;
  std::vector<Slot> slots_;  // a power of two, at most half of them in use
};

}  // namespace bert_native
