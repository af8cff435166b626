#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "common/aligned_buffer.h"
#include "common/compiler.h"

namespace bert_native {

// Ids of short pieces of text, remembered by their units. It grows with what it is given up to a size that it keeps;
// from then on what is met again stays, more or less. For one thread at a time.
//
// Two entries share a cache line. A new one takes the first place and moves what was there to the second.
class WordCache {
 public:
  static constexpr size_t kMaxBytes = 15;  // of a key of ASCII
  static constexpr size_t kMaxUnits = 7;   // of a key of UTF-16
  static constexpr size_t kMaxIds = 4;

  // The text in the low 15 bytes, zeros behind it; above them in five bits what kind of text it is and how long. The
  // three highest bits are the entry's number of ids.
  struct Key {
    uint64_t low, high;

    bool is_none() const { return high == 0; }
    // Whether a byte of the text is not ASCII.
    bool has_high_bits() const { return ((low | (high & kText)) & 0x8080808080808080) != 0; }
  };

  struct Entry {
    Key key;
    int32_t ids[kMaxIds];
  };

  static constexpr Key kNone{~uint64_t{0}, 0};  // never there

  // `max_entries` is a power of two, at least 2.
  explicit WordCache(size_t max_entries)
      : max_entries_(max_entries),
        entries_(make_entries(std::min(max_entries, kFirstEntries))),
        shift_(shift_for(entries_)) {}

  // `length` ≤ kMaxBytes of the 16 bytes that can be read at `bytes`.
  static BN_ALWAYS_INLINE Key byte_key(const unsigned char* bytes, size_t length) {
    return make_key(bytes, length, length);
  }

  // `length` ≤ kMaxUnits of the 8 units that can be read at `units`.
  static BN_ALWAYS_INLINE Key unit_key(const char16_t* units, size_t length) {
    return make_key(units, 2 * length, kIsUnits | length);
  }

  // Asks for the memory that find() will look at.
  BN_ALWAYS_INLINE void prefetch(Key key) const { BN_PREFETCH(pair_of(key)); }

  // Null: not there.
  BN_ALWAYS_INLINE const Entry* find(Key key) const {
    const Entry* const pair = pair_of(key);
    const bool is_first = is_same(pair[0].key, key), is_second = is_same(pair[1].key, key);
    return is_first | is_second ? pair + (is_second ? 1 : 0) : nullptr;
  }

  static BN_ALWAYS_INLINE size_t id_count(const Entry& entry) { return (entry.key.high >> kCountShift) & 7; }

  // A key that is not there yet, and at most kMaxIds ids.
  void insert(Key key, const int32_t* ids, size_t count) {
    if (inserted_ == entries_.size() && entries_.size() < max_entries_) grow();
    ++inserted_;
    Entry entry{{key.low, key.high | (static_cast<uint64_t>(count) << kCountShift)}, {}};
    std::copy_n(ids, count, entry.ids);
    place(entry);
  }

  size_t size_in_bytes() const { return entries_.size_in_bytes(); }

 private:
  static_assert(std::endian::native == std::endian::little, "the kind of a key lies in its last byte");
  static constexpr uint64_t kText = 0x00ffffffffffffff;
  static constexpr uint64_t kKey = 0x1fffffffffffffff;  // text, kind and length
  static constexpr int kKindShift = 56;                 // bits 56 to 60
  static constexpr int kCountShift = 61;
  static constexpr size_t kIsUnits = 16;
  static constexpr size_t kFirstEntries = size_t{1} << 10;
  static constexpr size_t kGrowth = 4;

  static AlignedBuffer<Entry> make_entries(size_t count) {
    AlignedBuffer<Entry> entries(count);
    std::memset(static_cast<void*>(entries.data()), 0, entries.size_in_bytes());
    return entries;
  }

  // The highest bits of the hash say which pair: they depend on all bits of the key.
  static int shift_for(const AlignedBuffer<Entry>& entries) { return 63 - std::countr_zero(entries.size() / 2); }

  void grow() {
    AlignedBuffer<Entry> old;
    try {
      old = make_entries(std::min(max_entries_, entries_.size() * kGrowth));
    } catch (const Error&) {
      max_entries_ = entries_.size();
      return;
    }
    std::swap(old, entries_);
    shift_ = shift_for(entries_);
    inserted_ = 0;
    for (size_t i = 0; i < old.size(); ++i) {
      const Entry& entry = old[i ^ 1];  // the older of a pair first
      if (entry.key.high == 0) continue;
      place(entry);
      ++inserted_;
    }
  }

  void place(const Entry& entry) {
    Entry* pair = pair_of({entry.key.low, entry.key.high & kKey});
    pair[1] = pair[0];
    pair[0] = entry;
  }

  template <typename Unit>
  static BN_ALWAYS_INLINE Key make_key(const Unit* text, size_t size, size_t kind) {
    alignas(32) static constexpr unsigned char kOnesThenZeros[32] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                                     255, 255, 255, 255, 255, 255, 255, 255};
    Key key, mask;
    std::memcpy(&key, text, sizeof key);
    std::memcpy(&mask, kOnesThenZeros + 16 - size, sizeof mask);
    return {key.low & mask.low, (key.high & mask.high) | (static_cast<uint64_t>(kind) << kKindShift)};
  }

  static BN_ALWAYS_INLINE bool is_same(const Key& stored, const Key& key) {
    return ((stored.low ^ key.low) | ((stored.high ^ key.high) << (64 - kCountShift))) == 0;
  }

  BN_ALWAYS_INLINE size_t index_of(Key key) const {
    const uint64_t hash = (key.low * 0x9e3779b97f4a7c15) ^ (key.high * 0xd6e8feb86659fd93);
    return static_cast<size_t>(hash >> 1 >> shift_) * 2;
  }
  BN_ALWAYS_INLINE const Entry* pair_of(Key key) const { return entries_.data() + index_of(key); }
  BN_ALWAYS_INLINE Entry* pair_of(Key key) { return entries_.data() + index_of(key); }

  size_t max_entries_;
  AlignedBuffer<Entry> entries_;
  int shift_;
  size_t inserted_ = 0;  // since it has this size
};

}  // namespace bert_native
