#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/double_array_trie.h"
#include "tokenizer/flat_strings.h"
#include "tokenizer/models/character_codes.h"
#include "tokenizer/unicode.h"

namespace bert_native {

struct WordPieceOptions {
  int32_t unk_id = 0;
  std::string continuing_subword_prefix = "##";
  size_t max_input_chars_per_word = 100;  // longer words are unknown
};

// Greedy longest match first (Schuster and Nakajima 2012, as BERT's tokenization.py does it): a piece that does not
// start its word is looked up with the prefix before it. One trie holds the whole vocabulary, in codes; the search for
// a continuation starts at the node that the prefix leads to.
class WordPiece {
 public:
  WordPiece(const FlatStrings& vocabulary, const WordPieceOptions& options);

  // Calls sink(id, begin, end) for each piece of `word`, which is UTF-8 (or UTF-16), in its units. False as soon as no
  // piece fits: then the whole word is unknown and what was emitted for it is void.
  template <typename Sink>
  bool tokenize(std::string_view word, Sink&& sink) const {
    return cut(
        word,
        [](std::string_view text, size_t i) {
          const auto byte = static_cast<unsigned char>(text[i]);
          return byte < 0x80 ? unicode::DecodedBytes{byte, 1} : unicode::decode_utf8(text.substr(i));
        },
        sink);
  }
  template <typename Sink>
  bool tokenize(std::u16string_view word, Sink&& sink) const {
    return cut(
        word, [](std::u16string_view text, size_t i) { return unicode::decode_utf16(text, i); }, sink);
  }

  // The id of an entry of the vocabulary, or the unknown token's.
  int32_t id_of(std::string_view token) const;
  // The id of an entry of the vocabulary, or -1.
  int32_t find(std::string_view token) const { return trie_.find(codes_.encode(token)); }

  int32_t unk_id() const { return options_.unk_id; }
  size_t max_input_chars_per_word() const { return options_.max_input_chars_per_word; }

 private:
  template <typename Word, typename Decode, typename Sink>
  BN_ALWAYS_INLINE bool cut(Word word, const Decode& decode, Sink& sink) const {
    DoubleArrayTrie::Node start = DoubleArrayTrie::kRoot;
    for (size_t begin = 0; begin < word.size();) {
      if (start == DoubleArrayTrie::kNone) return false;
      DoubleArrayTrie::Node node = start;
      int32_t longest = DoubleArrayTrie::kNoValue;
      size_t longest_end = begin;
      for (size_t i = begin; i < word.size();) {
        const auto [c, length] = decode(word, i);
        if (length == 0) break;  // not well-formed: in no vocabulary
        node = codes_.step(trie_, node, c);
        if (node == DoubleArrayTrie::kNone) break;
        i += length;
        if (trie_.value(node) != DoubleArrayTrie::kNoValue) {
          longest = trie_.value(node);
          longest_end = i;
        }
      }
      if (longest == DoubleArrayTrie::kNoValue) return false;
      sink(longest, begin, longest_end);
      begin = longest_end;
      start = continuation_;
    }
    return true;
  }

  WordPieceOptions options_;
  CharacterCodes codes_;
  DoubleArrayTrie trie_;
  DoubleArrayTrie::Node continuation_;
};

}  // namespace bert_native
