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
  note_starts();
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

void CharacterMap::note_starts() {
  start_index_.assign(unicode::kLastCodePoint / kBlockSize + 1, 0);
  start_blocks_.assign(1, {});
  for (char32_t c = 1; c <= unicode::kLastCodePoint; ++c) {
    if (!leads_on(c)) continue;
    uint16_t& block = start_index_[c / kBlockSize];
    if (block == 0) {
      block = static_cast<uint16_t>(start_blocks_.size());
      start_blocks_.emplace_back();
    }
    start_blocks_[block][c % kBlockSize / 64] |= uint64_t{1} << (c % 64);
  }
}

bool CharacterMap::leads_on(char32_t c) const {
  char bytes[unicode::kMaxUtf8Bytes];
  const size_t size = unicode::encode_utf8(c, bytes);
  size_t children = root();
  for (size_t i = 0; i < size; ++i) {
    const Step next = step(children, static_cast<unsigned char>(bytes[i]));
    if (next.children == kNowhere) return false;
    if (next.has_value) return true;
    children = next.children;
  }
  return true;
}

}  // namespace bert_native
