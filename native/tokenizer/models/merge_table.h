#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/compiler.h"

namespace bert_native {

// The merges of a BPE model in the order of their ranks, found by the two symbols they join. Open addressing over four
// bytes a slot, a rank and some bits of its pair's hash: what decides the speed is how much of the table a processor's
// cache holds, and most pairs that are looked up have no merge.
class MergeTable {
 public:
  static constexpr uint32_t kNoRank = 0xffffffff;

  explicit MergeTable(size_t merges)
      : slots_(std::bit_ceil(2 * merges + 2), kFree),
        slot_shift_(64 - std::countr_zero(slots_.size())),
        rank_bits_(std::bit_width(merges)) {
    merges_.reserve(merges);
  }

  // Of equal pairs the last counts. At most as many as were announced.
  void add(int32_t left, int32_t right, int32_t merged) {
    const uint64_t hash = hash_of(left, right);
    const auto rank = static_cast<uint32_t>(merges_.size());
    merges_.push_back({left, right, merged});
    size_t i = hash >> slot_shift_;
    while (slots_[i] != kFree && !joins(slots_[i] & rank_mask(), left, right)) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = fingerprint_of(hash) | rank;
  }

  // Of the merge that joins the two, or kNoRank.
  BN_ALWAYS_INLINE uint32_t rank_of(int32_t left, int32_t right) const {
    const uint64_t hash = hash_of(left, right);
    const uint32_t fingerprint = fingerprint_of(hash);
    for (size_t i = hash >> slot_shift_;; ++i) {
      const uint32_t slot = slots_[i & (slots_.size() - 1)];
      if (slot == kFree) return kNoRank;
      const uint32_t rank = slot & rank_mask();
      if ((slot ^ fingerprint) == rank && joins(rank, left, right)) return rank;
    }
  }

  // What the symbols that a merge joins become.
  int32_t merged(uint32_t rank) const { return merges_[rank].merged; }

 private:
  struct Merge {
    int32_t left, right, merged;
  };

  static constexpr uint32_t kFree = 0xffffffff;  // no rank has all bits set

  // Multiplicative hashing (Knuth): the highest bits depend on all bits of the pair.
  static uint64_t hash_of(int32_t left, int32_t right) {
    return (uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right)) * 0x9e3779b97f4a7c15;
  }
  uint32_t rank_mask() const { return (uint32_t{1} << rank_bits_) - 1; }
  uint32_t fingerprint_of(uint64_t hash) const { return static_cast<uint32_t>(hash >> 16) & ~rank_mask(); }
  bool joins(uint32_t rank, int32_t left, int32_t right) const {
    return merges_[rank].left == left && merges_[rank].right == right;
  }

  std::vector<Merge> merges_;
  std::vector<uint32_t> slots_;
  int slot_shift_;
  int rank_bits_;
};

}  // namespace bert_native
