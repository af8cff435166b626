#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/double_array_trie.h"

namespace bert_native {

struct AddedToken {
  std::u16string content;
  int32_t id = 0;
  bool special = false;
  bool lstrip = false;       // takes the white space before it, too
  bool rstrip = false;       // takes the white space after it, too
  bool single_word = false;  // found only where no word character stands beside it
  bool normalized = false;   // found in the text after the normalizer, which its content goes through, too
};

// Finds added tokens in a text: leftmost, then longest, as they are written.
class AddedTokens {
 public:
  // Contents are not empty and ids not negative, else kOption; of equal contents the last counts.
  explicit AddedTokens(std::vector<AddedToken> tokens);

  struct Match {
    size_t begin, end;  // in `text`, white space taken in included
    int32_t id;
  };

  // The first match at or after `from`, in time linear in the text (times the longest content). In UTF-16, or in code
  // points, which positions then count.
  std::optional<Match> find(std::u16string_view text, size_t from) const;
  std::optional<Match> find(std::u32string_view text, size_t from) const;

  bool empty() const { return tokens_.empty(); }

 private:
  struct Found {
    size_t end;
    const AddedToken* token;
  };

  template <typename Text>
  std::optional<Match> find_in(Text text, size_t from) const;
  // The first position from `i` on where a content may start.
  size_t next_start(std::u16string_view text, size_t i) const;
  size_t next_start(std::u32string_view text, size_t i) const;
  // The longest content that stands at text[i]; null: none.
  template <typename Text>
  Found longest_at(Text text, size_t i) const;
  DoubleArrayTrie::Node step(DoubleArrayTrie::Node node, char16_t unit) const;
  DoubleArrayTrie::Node step(DoubleArrayTrie::Node node, char32_t code_point) const;

  std::vector<AddedToken> tokens_;
  DoubleArrayTrie trie_;  // contents as two bytes per UTF-16 unit; the value is the index in tokens_
  std::bitset<0x10000> first_units_;
  std::optional<std::array<char16_t, 4>> few_first_units_;  // the same, where there are few
};

}  // namespace bert_native
