#include "tokenizer/regex_class.h"

#include <algorithm>
#include <map>

namespace bert_native {

namespace {

// More ranges than this are looked up in a table.
constexpr size_t kFewRanges = 4;

}  // namespace

RegexClass::RegexClass(std::span<const CodePointRange> ranges) {
  for (const auto& [first, last] : ranges) {
    for (char32_t c = first; c <= last && c < kAscii; ++c) ascii_[c >> 6] |= uint64_t{1} << (c & 63);
    if (last >= kAscii) few_.emplace_back(std::max(first, kAscii), last);
  }
  if (few_.size() > kFewRanges) build_table();
}

void RegexClass::build_table() {
  std::map<Block, uint16_t> known;
  block_of_.resize(kBlocks);
  size_t next = 0;
  for (size_t number = 0; number < kBlocks; ++number) {
    const auto begin = static_cast<char32_t>(number << kBlockBits);
    const auto end = static_cast<char32_t>(begin + kBlockSize);
    while (next < few_.size() && few_[next].second < begin) ++next;
    Block block{};
    for (size_t i = next; i < few_.size() && few_[i].first < end; ++i) {
      const char32_t stop = std::min<char32_t>(few_[i].second, end - 1);
      for (char32_t c = std::max(few_[i].first, begin); c <= stop; ++c) {
        block[(c - begin) >> 6] |= uint64_t{1} << (c & 63);
      }
    }
    const auto [entry, is_new] = known.try_emplace(block, static_cast<uint16_t>(blocks_.size()));
    if (is_new) blocks_.push_back(block);
    block_of_[number] = entry->second;
  }
  few_.clear();
  few_.shrink_to_fit();
}

}  // namespace bert_native
