#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bert_native {

// How often each word came, words in the order in which they came first. Memory grows with the distinct words alone.
class WordCounts {
 public:
  void add(std::string_view word);

  size_t size() const { return entries_.size(); }
  std::string_view word(size_t i) const { return {bytes_.data() + entries_[i].begin, entries_[i].size}; }
  uint64_t count(size_t i) const { return entries_[i].count; }

 private:
  struct Entry {
    size_t begin, size;
    uint64_t hash, count;
  };

  // The slot of the word, or the free one where it would be.
  size_t slot_of(std::string_view word, uint64_t hash) const;
  void grow();

  static constexpr uint32_t kFree = 0xffffffff;

  std::string bytes_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> slots_;  // a power of two, at most half of them in use
};

}  // namespace bert_native
