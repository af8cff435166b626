#include "tokenizer/normalizers/character_map.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "tokenizer/unicode.h"

namespace bert_native {

CharacterMap::CharacterMap(std::vector<uint32_t> trie, std::string replacements)
    : trie_(std::move(trie)), replacements_(std::move(replacements)) {
  if (trie_.empty()) throw Error(ErrorCode::kOption, "the trie of a precompiled character map is empty");
  if (!unicode::is_utf8(replacements_)) {
    throw Error(ErrorCode::kOption, "the replacements of a precompiled character map are not well-formed UTF-8");
  }
  note_mapped();
}

std::optional<std::string_view> CharacterMap::find(std::string_view text) const {
  size_t children = root();
  for (const char byte : text) {
    const Step next = step(children, static_cast<unsigned char>(byte));
    if (next.children == kNowhere) break;
    if (next.has_value) return replacement(next.children);
    children = next.children;
  }
  return std::nullopt;
}

std::optional<std::string_view> CharacterMap::replacement(size_t children) const {
  constexpr uint32_t kValueBits = 0x7fffffffu;
  if (children >= trie_.size()) return std::nullopt;
  const size_t begin = trie_[children] & kValueBits;
  const auto is_continuation = [&](size_t i) { return (static_cast<unsigned char>(replacements_[i]) & 0xc0) == 0x80; };
  if (begin > replacements_.size() || (begin < replacements_.size() && is_continuation(begin))) return std::nullopt;
  const size_t end = std::min(replacements_.find('\0', begin), replacements_.size());
  return std::string_view(replacements_).substr(begin, end - begin);
}

void CharacterMap::note_mapped() {
  mapped_index_.assign(unicode::kLastCodePoint / kBlockSize + 1, 0);
  mapped_.assign(1, {});
  for (char32_t first = 0; first <= unicode::kLastCodePoint; first += 64) {
    const uint64_t mapped = mapped_of(first);
    if (mapped == 0) continue;
    uint16_t& block = mapped_index_[first / kBlockSize];
    if (block == 0) {
      block = static_cast<uint16_t>(mapped_.size());
      mapped_.emplace_back();
    }
    mapped_[block][first % kBlockSize / 64] = mapped;
  }
}

// A bit for each of 64 code points from `first` on, whose UTF-8 differs in the last byte alone.
uint64_t CharacterMap::mapped_of(char32_t first) const {
  char bytes[unicode::kMaxUtf8Bytes];
  const size_t size = unicode::encode_utf8(first, bytes);
  size_t children = root();
  for (size_t i = 0; i + 1 < size; ++i) {
    const Step next = step(children, static_cast<unsigned char>(bytes[i]));
    if (next.children == kNowhere) return 0;
    if (next.has_value) return replacement(next.children) ? ~uint64_t{0} : 0;
    children = next.children;
  }
  uint64_t mapped = 0;
  for (unsigned i = 0; i < 64; ++i) {
    const Step last = step(children, static_cast<unsigned char>(static_cast<unsigned char>(bytes[size - 1]) + i));
    const bool is_mapped = last.children != kNowhere && last.has_value && replacement(last.children);
    mapped |= static_cast<uint64_t>(is_mapped) << i;
  }
  return mapped;
}

}  // namespace bert_native
