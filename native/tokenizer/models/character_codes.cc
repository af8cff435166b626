#include "tokenizer/models/character_codes.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

// Characters beside ASCII, the most frequent first.
std::vector<char32_t> characters_by_frequency(const FlatStrings& vocabulary) {
  std::vector<uint32_t> counts(unicode::kLastCodePoint + 1);
  std::vector<char32_t> characters;
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    const std::string_view entry = vocabulary[id];
    for (size_t i = 0; i < entry.size();) {
      const auto [c, length] = unicode::decode_utf8(entry.substr(i));
      if (c >= 0x80 && counts[c]++ == 0) characters.push_back(c);
      i += length;
    }
  }
  std::stable_sort(characters.begin(), characters.end(), [&](char32_t a, char32_t b) { return counts[a] > counts[b]; });
  return characters;
}

}  // namespace

CharacterCodes::CharacterCodes(const FlatStrings& vocabulary) : ranks_(kPlane) {
  const std::vector<char32_t> characters = characters_by_frequency(vocabulary);
  if (characters.size() > kMaxRank) {
    throw Error(ErrorCode::kOption, "the vocabulary has " + std::to_string(characters.size()) +
                                        " different characters beside ASCII: at most 65535 are supported");
  }
  for (size_t i = 0; i < characters.size(); ++i) {
    const auto rank = static_cast<uint16_t>(i + 1);
    if (characters[i] < kPlane) {
      ranks_[characters[i]] = rank;
    } else {
      ranks_beyond_.emplace(characters[i], rank);
    }
  }
}

uint32_t CharacterCodes::rank_beyond(char32_t c) const {
  const auto found = ranks_beyond_.find(c);
  return found == ranks_beyond_.end() ? 0 : found->second;
}

std::string CharacterCodes::encode(std::string_view utf8) const {
  std::string codes;
  const auto append = [&](uint32_t byte) { codes += static_cast<char>(byte); };
  for (size_t i = 0; i < utf8.size();) {
    const auto [c, length] = unicode::decode_utf8(utf8.substr(i));
    i += length;
    const uint32_t number = c < 0x80 ? 1 : rank(c);
    if (length == 0 || number == 0) return {};
    const uint32_t index = number - 1;
    if (c < 0x80) {
      append(c);
    } else if (index < kShort) {
      append(0x80 + index);
    } else if (index < kMiddle) {
      append(0xc0 + ((index - kShort) >> 8));
      append((index - kShort) & 0xff);
    } else {
      append(0xff);
      append((index - kMiddle) >> 8);
      append((index - kMiddle) & 0xff);
    }
  }
  return codes;
}

DoubleArrayTrie::Node CharacterCodes::longest_step(const DoubleArrayTrie& trie, DoubleArrayTrie::Node node,
                                                   uint32_t index) {
  for (const uint32_t byte : {uint32_t{0xff}, index >> 8, index & 0xff}) {
    if (node != DoubleArrayTrie::kNone) node = trie.step(node, static_cast<unsigned char>(byte));
  }
  return node;
}

}  // namespace bert_native
