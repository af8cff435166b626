#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/compiler.h"
#include "tokenizer/double_array_trie.h"
#include "tokenizer/flat_strings.h"

namespace bert_native {

// A code for every character of a vocabulary, as bytes that no other code begins with: one for ASCII and for the
// characters that are met most, two for nearly all others. A trie over codes is smaller than one over UTF-8 and takes
// fewer steps.
class CharacterCodes {
 public:
  // Throws kOption where the vocabulary has more different characters than there are codes, 65,535 beside ASCII.
  explicit CharacterCodes(const FlatStrings& vocabulary);

  // The string in codes. Characters that the vocabulary lacks have none: empty, unless the string is.
  std::string encode(std::string_view utf8) const;

  // Where the code of `c` leads to from `node`, or kNone.
  BN_ALWAYS_INLINE DoubleArrayTrie::Node step(const DoubleArrayTrie& trie, DoubleArrayTrie::Node node,
                                              char32_t c) const {
    if (c < 0x80) return trie.step(node, static_cast<unsigned char>(c));
    const uint32_t rank = c < kPlane ? ranks_[c] : rank_beyond(c);
    if (rank - 1 < kShort) return trie.step(node, static_cast<unsigned char>(0x80 + rank - 1));
    return long_step(trie, node, rank);
  }

 private:
  static constexpr char32_t kPlane = 0x10000;
  static constexpr uint32_t kShort = 0x40;  // codes 0x80 to 0xbf
  static constexpr uint32_t kLeads = 0x3f;  // 0xc0 to 0xfe begin two bytes, 0xff three
  static constexpr uint32_t kMiddle = kShort + kLeads * 0x100;
  static constexpr uint32_t kMaxRank = 0xffff;

  // 0: the vocabulary has no such character; else its place among those beside ASCII, the most frequent first.
  uint32_t rank_beyond(char32_t c) const;
  uint32_t rank(char32_t c) const { return c < kPlane ? ranks_[c] : rank_beyond(c); }

  BN_ALWAYS_INLINE static DoubleArrayTrie::Node long_step(const DoubleArrayTrie& trie, DoubleArrayTrie::Node node,
                                                          uint32_t rank) {
    if (rank == 0) return DoubleArrayTrie::kNone;
    const uint32_t index = rank - 1 - kShort;
    if (rank > kMiddle) return longest_step(trie, node, rank - 1 - kMiddle);
    node = trie.step(node, static_cast<unsigned char>(0xc0 + (index >> 8)));
    return node == DoubleArrayTrie::kNone ? node : trie.step(node, static_cast<unsigned char>(index & 0xff));
  }
  static DoubleArrayTrie::Node longest_step(const DoubleArrayTrie& trie, DoubleArrayTrie::Node node, uint32_t index);

  std::vector<uint16_t> ranks_;  // of the characters below kPlane
  std::unordered_map<char32_t, uint16_t> ranks_beyond_;
};

}  // namespace bert_native
