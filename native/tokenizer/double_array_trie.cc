#include "tokenizer/double_array_trie.h"

#include <algorithm>
#include <array>
#include <bit>

#include "common/errors.h"

namespace bert_native {

namespace {

constexpr size_t kBlockSize = 256;
// Only the newest blocks are searched for room; what is still free in older ones stays so.
constexpr size_t kOpenBlocks = 16;
constexpr size_t kMaxSlots = size_t{1} << 31;

struct Entry {
  uint64_t head;  // the first eight bytes of the key, first byte highest, zeros behind a shorter one
  std::string_view key;
  int32_t value;

  Entry(std::string_view its_key, int32_t its_value) : head(0), key(its_key), value(its_value) {
    for (size_t i = 0; i < 8; ++i) head = head << 8 | (i < key.size() ? static_cast<unsigned char>(key[i]) : 0);
  }
};

using Entries = std::vector<Entry>;

// Sorted by key, one entry per key (the last one given), no empty key.
void sort_and_deduplicate(Entries& entries) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.head != b.head ? a.head < b.head : a.key < b.key; });
  size_t kept = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    const bool last_of_its_key = i + 1 == entries.size() || entries[i + 1].key != entries[i].key;
    if (last_of_its_key && !entries[i].key.empty()) entries[kept++] = entries[i];
  }
  entries.erase(entries.begin() + static_cast<ptrdiff_t>(kept), entries.end());
}

// Some of the slots of a block.
class SlotSet {
 public:
  static SlotSet all() { return {{~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}}}; }

  bool is_empty() const { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
  // The smallest slot of a set that is not empty.
  size_t first() const {
    size_t word = 0;
    while (words_[word] == 0) ++word;
    return 64 * word + static_cast<size_t>(std::countr_zero(words_[word]));
  }
  void remove(size_t slot) { words_[slot / 64] &= ~(uint64_t{1} << slot % 64); }

  // { slot XOR byte }: a bit of `byte` swaps neighbours of that distance.
  SlotSet moved_by(unsigned char byte) const {
    static constexpr uint64_t kLower[6] = {0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f,
                                           0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff};
    SlotSet moved;
    for (size_t word = 0; word < 4; ++word) {
      uint64_t bits = words_[word ^ byte >> 6];
      for (int i = 0; i < 6; ++i) {
        const int distance = 1 << i;
        if (byte & distance) bits = (bits & kLower[i]) << distance | (bits >> distance & kLower[i]);
      }
      moved.words_[word] = bits;
    }
    return moved;
  }
  friend SlotSet operator&(const SlotSet& a, const SlotSet& b) {
    return {
        {a.words_[0] & b.words_[0], a.words_[1] & b.words_[1], a.words_[2] & b.words_[2], a.words_[3] & b.words_[3]}};
  }

 private:
  SlotSet() = default;
  SlotSet(const std::array<uint64_t, 4>& words) : words_(words) {}
  std::array<uint64_t, 4> words_{};
};

}  // namespace

class DoubleArrayTrieBuilder {
 public:
  DoubleArrayTrieBuilder(DoubleArrayTrie& trie, const Entries& sorted) : trie_(trie), sorted_(sorted) {}

  // Breadth first, so that the first levels, which every word passes through, lie together.
  void build() {
    add_block();
    occupy(DoubleArrayTrie::kRoot);
    if (sorted_.empty()) return;
    trie_.has_keys_ = true;
    std::vector<Range> level{{DoubleArrayTrie::kRoot, 0, sorted_.size()}};
    for (size_t depth = 0; !level.empty(); ++depth) {
      std::vector<Range> next;
      for (const Range& range : level) add_children(range, depth, next);
      level = std::move(next);
    }
  }

 private:
  // The keys [begin, end) share their first `depth` bytes, which lead to `node`; all of them are longer than that.
  struct Range {
    DoubleArrayTrie::Node node;
    size_t begin, end;
  };

  void add_children(const Range& range, size_t depth, std::vector<Range>& next) {
    children_.clear();
    for (size_t i = range.begin; i < range.end; ++i) {
      const unsigned char byte = byte_at(i, depth);
      if (children_.empty() || byte != children_.back().byte) children_.push_back({byte, i});
    }
    const uint32_t base = find_base();
    trie_.slots_[range.node].base = base;
    for (size_t i = 0; i < children_.size(); ++i) {
      const DoubleArrayTrie::Node child = base ^ children_[i].byte;
      size_t begin = children_[i].begin;
      const size_t end = i + 1 < children_.size() ? children_[i + 1].begin : range.end;
      occupy(child);
      trie_.slots_[child].parent = range.node;
      if (sorted_[begin].key.size() == depth + 1) trie_.slots_[child].value = sorted_[begin++].value;
      if (begin < end) next.push_back({child, begin, end});
    }
  }

  void occupy(DoubleArrayTrie::Node node) { free_[node / kBlockSize].remove(node % kBlockSize); }

  unsigned char byte_at(size_t entry, size_t depth) const {
    const Entry& sorted = sorted_[entry];
    return static_cast<unsigned char>(depth < 8 ? sorted.head >> (56 - 8 * depth) : sorted.key[depth]);
  }

  uint32_t find_base() {
    const size_t blocks = free_.size();
    for (size_t block = blocks - std::min(blocks, kOpenBlocks); block < blocks; ++block) {
      if (free_[block].is_empty()) continue;
      if (children_.size() == 1) {
        return static_cast<uint32_t>(block * kBlockSize + (free_[block].first() ^ children_.front().byte));
      }
      SlotSet bases = free_[block].moved_by(children_.front().byte);
      for (size_t i = 1; i < children_.size() && !bases.is_empty(); ++i) {
        bases = bases & free_[block].moved_by(children_[i].byte);
      }
      if (!bases.is_empty()) return static_cast<uint32_t>(block * kBlockSize + bases.first());
    }
    add_block();
    return static_cast<uint32_t>(blocks * kBlockSize);
  }

  void add_block() {
    const size_t slots = trie_.slots_.size() + kBlockSize;
    if (slots > kMaxSlots) throw Error(ErrorCode::kMemory, "the vocabulary is too large for a trie");
    trie_.slots_.resize(slots);
    free_.push_back(SlotSet::all());
  }

  struct Child {
    unsigned char byte;
    size_t begin;  // the first entry that goes through it
  };

  DoubleArrayTrie& trie_;
  const Entries& sorted_;
  std::vector<SlotSet> free_;  // of each block
  std::vector<Child> children_;
};

DoubleArrayTrie::DoubleArrayTrie(const std::vector<std::pair<std::string, int32_t>>& entries) {
  Entries sorted;
  sorted.reserve(entries.size());
  for (const auto& [key, value] : entries) sorted.emplace_back(key, value);
  sort_and_deduplicate(sorted);
  DoubleArrayTrieBuilder(*this, sorted).build();
}

DoubleArrayTrie::DoubleArrayTrie(const FlatStrings& keys) {
  Entries sorted;
  sorted.reserve(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) sorted.emplace_back(keys[i], static_cast<int32_t>(i));
  sort_and_deduplicate(sorted);
  DoubleArrayTrieBuilder(*this, sorted).build();
}

DoubleArrayTrie::Node DoubleArrayTrie::walk(std::string_view key) const {
  Node node = kRoot;
  for (const char byte : key) {
    node = step(node, static_cast<unsigned char>(byte));
    if (node == kNone) return kNone;
  }
  return node;
}

int32_t DoubleArrayTrie::find(std::string_view key) const {
  const Node node = walk(key);
  return node == kNone ? kNoValue : value(node);
}

}  // namespace bert_native
