#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/compiler.h"
#include "tokenizer/flat_strings.h"

namespace bert_native {

// The size of the UTF-8 sequence that starts with `lead`.
BN_ALWAYS_INLINE size_t utf8_sequence_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// The ids of those entries of a vocabulary that are one character between a prefix and a suffix.
class CharacterIds {
 public:
  static constexpr int32_t kNoId = -1;

  CharacterIds(const FlatStrings& vocabulary, std::string_view prefix, std::string_view suffix);

  // `utf8` is one code point.
  BN_ALWAYS_INLINE int32_t find(std::string_view utf8) const {
    const uint32_t c = decode(utf8);
    return ids_[page_starts_[c / kPage] + c % kPage];
  }

 private:
  static constexpr uint32_t kPage = 64;  // code points that share all but the last byte of their UTF-8

  static BN_ALWAYS_INLINE uint32_t decode(std::string_view utf8) {
    const auto byte = [utf8](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(utf8[i])); };
    switch (utf8.size()) {
      case 1:
        return byte(0);
      case 2:
        return (byte(0) & 0x1f) << 6 | (byte(1) & 0x3f);
      case 3:
        return (byte(0) & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f);
      default:
        return (byte(0) & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
    }
  }

  std::vector<uint32_t> page_starts_;  // in `ids_`; pages without any id share the first
  std::vector<int32_t> ids_;
};

}  // namespace bert_native
