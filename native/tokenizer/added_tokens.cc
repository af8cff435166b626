#include "tokenizer/added_tokens.h"

#include <unordered_set>
#include <utility>

#include "common/errors.h"
#include "tokenizer/text_scan.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

unsigned char high_byte(char16_t unit) { return static_cast<unsigned char>(unit >> 8); }
unsigned char low_byte(char16_t unit) { return static_cast<unsigned char>(unit & 0xff); }

std::vector<AddedToken> checked(std::vector<AddedToken> tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].content.empty()) {
      throw Error(ErrorCode::kOption, "added_tokens[" + std::to_string(i) + "].content must not be empty");
    }
    if (tokens[i].id < 0) {
      throw Error(ErrorCode::kOption, "added_tokens[" + std::to_string(i) + "].id must not be negative, but is " +
                                          std::to_string(tokens[i].id));
    }
  }
  return tokens;
}

// Of tokens that a normalizer makes the same, the first is found. (The Rust library tokenizers 0.23 finds any of them.)
DoubleArrayTrie build_trie(const std::vector<AddedToken>& tokens) {
  std::vector<std::pair<std::string, int32_t>> entries;
  std::unordered_set<std::u16string_view> seen;
  entries.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!seen.insert(tokens[i].content).second) continue;
    std::string key;
    for (const char16_t unit : tokens[i].content) {
      key += static_cast<char>(high_byte(unit));
      key += static_cast<char>(low_byte(unit));
    }
    entries.emplace_back(std::move(key), static_cast<int32_t>(i));
  }
  return DoubleArrayTrie(std::move(entries));
}

char32_t code_point_at(std::u16string_view text, size_t i) { return unicode::decode_utf16(text, i).code_point; }
char32_t code_point_at(std::u32string_view text, size_t i) { return text[i]; }
char32_t code_point_before(std::u16string_view text, size_t i) {
  return unicode::decode_utf16_before(text, i).code_point;
}
char32_t code_point_before(std::u32string_view text, size_t i) { return text[i - 1]; }

template <typename Text>
bool stands_alone(Text text, size_t begin, size_t end) {
  const bool joined_before = begin > 0 && unicode::is_word_character(code_point_before(text, begin));
  const bool joined_after = end < text.size() && unicode::is_word_character(code_point_at(text, end));
  return !joined_before && !joined_after;
}

// The first UTF-16 unit of what stands at text[i].
char16_t first_unit(std::u16string_view text, size_t i) { return text[i]; }
char16_t first_unit(std::u32string_view text, size_t i) { return unicode::utf16_units(text[i]).first; }

}  // namespace

AddedTokens::AddedTokens(std::vector<AddedToken> tokens)
    : tokens_(checked(std::move(tokens))), trie_(build_trie(tokens_)) {
  std::array<char16_t, 4> few{};
  size_t count = 0;
  for (const AddedToken& token : tokens_) {
    const char16_t unit = token.content.front();
    if (first_units_[unit]) continue;
    first_units_.set(unit);
    if (count == 0) few.fill(unit);
    if (count < few.size()) few[count] = unit;
    ++count;
  }
  if (count <= few.size()) few_first_units_ = few;
}

size_t AddedTokens::next_start(std::u16string_view text, size_t i) const {
  if (few_first_units_) return find_unit(text, i, *few_first_units_);
  while (i < text.size() && !first_units_[first_unit(text, i)]) ++i;
  return i;
}

size_t AddedTokens::next_start(std::u32string_view text, size_t i) const {
  while (i < text.size() && !first_units_[first_unit(text, i)]) ++i;
  return i;
}

std::optional<AddedTokens::Match> AddedTokens::find(std::u16string_view text, size_t from) const {
  return find_in(text, from);
}

std::optional<AddedTokens::Match> AddedTokens::find(std::u32string_view text, size_t from) const {
  return find_in(text, from);
}

template <typename Text>
std::optional<AddedTokens::Match> AddedTokens::find_in(Text text, size_t from) const {
  if (tokens_.empty()) return std::nullopt;
  for (size_t i = next_start(text, from); i < text.size(); i = next_start(text, i)) {
    const Found found = longest_at(text, i);
    if (found.token == nullptr) {
      ++i;
      continue;
    }
    if (found.token->single_word && !stands_alone(text, i, found.end)) {
      i = found.end;
      continue;
    }
    Match match{i, found.end, found.token->id};
    while (found.token->lstrip && match.begin > from && unicode::is_white_space(text[match.begin - 1])) --match.begin;
    while (found.token->rstrip && match.end < text.size() && unicode::is_white_space(text[match.end])) ++match.end;
    return match;
  }
  return std::nullopt;
}

template <typename Text>
AddedTokens::Found AddedTokens::longest_at(Text text, size_t i) const {
  Found longest{i, nullptr};
  DoubleArrayTrie::Node node = DoubleArrayTrie::kRoot;
  while (i < text.size()) {
    node = step(node, text[i]);
    if (node == DoubleArrayTrie::kNone) break;
    i += 1;
    const int32_t index = trie_.value(node);
    if (index != DoubleArrayTrie::kNoValue) longest = {i, &tokens_[static_cast<size_t>(index)]};
  }
  return longest;
}

DoubleArrayTrie::Node AddedTokens::step(DoubleArrayTrie::Node node, char16_t unit) const {
  node = trie_.step(node, high_byte(unit));
  return node == DoubleArrayTrie::kNone ? node : trie_.step(node, low_byte(unit));
}

DoubleArrayTrie::Node AddedTokens::step(DoubleArrayTrie::Node node, char32_t code_point) const {
  const auto [first, second] = unicode::utf16_units(code_point);
  node = step(node, first);
  return node == DoubleArrayTrie::kNone || second == 0 ? node : step(node, second);
}

}  // namespace bert_native
