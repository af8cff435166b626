#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace bert_native {

// A set of code points that answers quickly: a bitmap for ASCII; behind it a few ranges, or a table in two stages.
class RegexClass {
 public:
  using CodePointRange = std::pair<char32_t, char32_t>;  // both ends belong to it

  // `ranges` are in order, apart from each other, and end at U+10FFFF or before.
  explicit RegexClass(std::span<const CodePointRange> ranges);

  bool contains(char32_t code_point) const {
    if (code_point < kAscii) return ascii_[code_point >> 6] >> (code_point & 63) & 1;
    return contains_other(code_point);
  }

  bool is_ascii() const { return few_.empty() && block_of_.empty(); }

 private:
  static constexpr char32_t kAscii = 0x80;
  static constexpr size_t kBlockBits = 8;
  static constexpr size_t kBlockSize = size_t{1} << kBlockBits;
  static constexpr size_t kBlocks = 0x110000 >> kBlockBits;
  using Block = std::array<uint64_t, kBlockSize / 64>;

  bool contains_other(char32_t code_point) const {
    if (block_of_.empty()) {
      for (const auto& [first, last] : few_) {
        if (code_point <= last) return code_point >= first;
      }
      return false;
    }
    const size_t number = code_point >> kBlockBits;
    if (number >= kBlocks) return false;
    const size_t bit = code_point & (kBlockSize - 1);
    return blocks_[block_of_[number]][bit >> 6] >> (bit & 63) & 1;
  }

  void build_table();

  std::array<uint64_t, kAscii / 64> ascii_{};
  std::vector<CodePointRange> few_;  // those behind ASCII
  std::vector<uint16_t> block_of_;
  std::vector<Block> blocks_;
};

}  // namespace bert_native
