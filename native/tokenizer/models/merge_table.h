#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/compiler.h"
#include "tokenizer/models/hash.h"

namespace bert_native {

// From two neighbouring symbols to the merge that joins them, by open addressing.
class MergeTable {
 public:
  static constexpr uint32_t kNoRank = 0xffffffff;

  explicit MergeTable(size_t merges) : slots_(std::bit_ceil(2 * merges + 1)) {}

  // Of equal pairs the last counts. At most as many as were announced.
  void insert(int32_t left, int32_t right, uint32_t rank) {
    const uint64_t key = key_of(left, right);
    size_t i = first_slot(key);
    while (slots_[i].rank != kNoRank && slots_[i].key != key) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {key, rank};
  }

  // kNoRank if nothing joins them.
  BN_ALWAYS_INLINE uint32_t rank_of(int32_t left, int32_t right) const {
    const uint64_t key = key_of(left, right);
    const size_t mask = slots_.size() - 1;
    for (size_t i = first_slot(key);; i = (i + 1) & mask) {
      const Slot& slot = slots_[i];
      if (slot.key == key || slot.rank == kNoRank) return slot.rank;
    }
  }

 private:
  // A free slot has the key of no pair: ids are not negative.
  struct Slot {
    uint64_t key = ~uint64_t{0};
    uint32_t rank = kNoRank;
  };

  static uint64_t key_of(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t first_slot(uint64_t key) const { return mix_bits(key) & (slots_.size() - 1); }

  std::vector<Slot> slots_;
};

}  // namespace bert_native
