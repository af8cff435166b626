#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bert_native {

// SentencePiece's compiled map of normalization rules: a double-array trie (Darts-clone) from UTF-8 to positions among
// NUL-terminated replacements.
class CharacterMap {
 public:
  // A trie may say anything: where it points outside of itself, nothing is found. Throws kOption for one that is empty
  // and for replacements that are not UTF-8.
  CharacterMap(std::vector<uint32_t> trie, std::string replacements);

  // What the shortest key that `text` begins with becomes.
  std::optional<std::string_view> find(std::string_view text) const;

  // Whether find() finds anything for the UTF-8 of `c`.
  bool maps(char32_t c) const {
    const Bits& bits = mapped_[mapped_index_[c / kBlockSize]];
    return (bits[c % kBlockSize / 64] >> (c % 64) & 1) != 0;
  }

 private:
  static constexpr size_t kBlockSize = 256;
  using Bits = std::array<uint64_t, kBlockSize / 64>;
  static constexpr size_t kNowhere = SIZE_MAX;

  // A unit of the array has the byte that leads to it, whether a value hangs on it, and where its children begin.
  static constexpr uint32_t label(uint32_t unit) { return unit & (0x80000000u | 0xffu); }
  static constexpr bool has_value(uint32_t unit) { return (unit >> 8 & 1) != 0; }
  static constexpr size_t offset(uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & 0x200u) >> 6); }

  struct Step {
    size_t children = kNowhere;  // where they begin; kNowhere: no key goes on like this
    bool has_value = false;
  };
  Step step(size_t children, unsigned char byte) const {
    const size_t position = children ^ byte;
    if (byte == 0 || position >= trie_.size() || label(trie_[position]) != byte) return {};
    return {position ^ offset(trie_[position]), has_value(trie_[position])};
  }

  size_t root() const { return offset(trie_[0]); }
  std::optional<std::string_view> replacement(size_t children) const;
  void note_mapped();
  uint64_t mapped_of(char32_t first) const;

  std::vector<uint32_t> trie_;
  std::string replacements_;
  std::vector<uint16_t> mapped_index_;  // by the code point's block, into mapped_
  std::vector<Bits> mapped_;
};

}  // namespace bert_native
