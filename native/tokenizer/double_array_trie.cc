#include "tokenizer/double_array_trie.h"

#include <algorithm>
#include <array>

#include "common/errors.h"

namespace bert_native {

namespace {

constexpr size_t kBlockSize = 256;
// Only the newest blocks are searched for room; what is still free in older ones stays so.
constexpr size_t kOpenBlocks = 16;
constexpr size_t kMaxSlots = size_t{1} << 31;

using Entries = std::vector<std::pair<std::string, int32_t>>;

// Sorted by key, one entry per key (the last one given), no empty key.
void sort_and_deduplicate(Entries& entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  size_t kept = 0;
  for (size_t i = 0; i < entries.size(); ++i) {
    const bool last_of_its_key = i + 1 == entries.size() || entries[i + 1].first != entries[i].first;
    if (!last_of_its_key || entries[i].first.empty()) continue;
    if (kept != i) entries[kept] = std::move(entries[i]);
    ++kept;
  }
  entries.resize(kept);
}

}  // namespace

class DoubleArrayTrieBuilder {
 public:
  DoubleArrayTrieBuilder(DoubleArrayTrie& trie, const Entries& sorted) : trie_(trie), sorted_(sorted) {}

  // Breadth first, so that the first levels, which every word passes through, lie together.
  void build() {
    add_block();
    occupied_[DoubleArrayTrie::kRoot] = true;
    free_in_block_[0] -= 1;
    if (sorted_.empty()) return;
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
      occupied_[child] = true;
      free_in_block_[child / kBlockSize] -= 1;
      trie_.slots_[child].parent = range.node;
      if (sorted_[begin].first.size() == depth + 1) trie_.slots_[child].value = sorted_[begin++].second;
      if (begin < end) next.push_back({child, begin, end});
    }
  }

  unsigned char byte_at(size_t entry, size_t depth) const {
    return static_cast<unsigned char>(sorted_[entry].first[depth]);
  }

  uint32_t find_base() {
    const size_t blocks = free_in_block_.size();
    for (size_t block = blocks - std::min(blocks, kOpenBlocks); block < blocks; ++block) {
      if (free_in_block_[block] < children_.size()) continue;
      for (size_t slot = block * kBlockSize; slot < (block + 1) * kBlockSize; ++slot) {
        const uint32_t base = static_cast<uint32_t>(slot) ^ children_.front().byte;
        if (fits(base)) return base;
      }
    }
    add_block();
    return static_cast<uint32_t>(blocks * kBlockSize);
  }

  bool fits(uint32_t base) const {
    return std::all_of(children_.begin(), children_.end(),
                       [&](const Child& child) { return !occupied_[base ^ child.byte]; });
  }

  void add_block() {
    const size_t slots = trie_.slots_.size() + kBlockSize;
    if (slots > kMaxSlots) throw Error(ErrorCode::kMemory, "the vocabulary is too large for a trie");
    trie_.slots_.resize(slots);
    occupied_.resize(slots, false);
    free_in_block_.push_back(kBlockSize);
  }

  struct Child {
    unsigned char byte;
    size_t begin;  // the first entry that goes through it
  };

  DoubleArrayTrie& trie_;
  const Entries& sorted_;
  std::vector<bool> occupied_;
  std::vector<size_t> free_in_block_;
  std::vector<Child> children_;
};

DoubleArrayTrie::DoubleArrayTrie(Entries entries) {
  sort_and_deduplicate(entries);
  has_keys_ = !entries.empty();
  DoubleArrayTrieBuilder(*this, entries).build();
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
