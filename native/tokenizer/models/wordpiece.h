#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/double_array_trie.h"
#include "tokenizer/flat_strings.h"

namespace bert_native {

struct WordPieceOptions {
  int32_t unk_id = 0;
  std::string continuing_subword_prefix = "##";
  size_t max_input_chars_per_word = 100;  // longer words are unknown
};

// Greedy longest match first (Schuster and Nakajima 2012, as BERT's tokenization.py does it): a piece that does not
// start its word is looked up with the prefix before it. One trie holds the whole vocabulary; the search for a
// continuation starts at the node that the prefix leads to.
class WordPiece {
 public:
  WordPiece(const FlatStrings& vocabulary, const WordPieceOptions& options);

  // Calls sink(id, begin, end) for each piece of `word`, in bytes. False as soon as no piece fits: then the whole word
  // is unknown and what was emitted for it is void.
  template <typename Sink>
  bool tokenize(std::string_view word, Sink&& sink) const {
    DoubleArrayTrie::Node start = DoubleArrayTrie::kRoot;
    for (size_t begin = 0; begin < word.size();) {
      if (start == DoubleArrayTrie::kNone) return false;
      DoubleArrayTrie::Node node = start;
      int32_t longest = DoubleArrayTrie::kNoValue;
      size_t longest_end = begin;
      for (size_t i = begin; i < word.size(); ++i) {
        node = trie_.step(node, static_cast<unsigned char>(word[i]));
        if (node == DoubleArrayTrie::kNone) break;
        if (trie_.value(node) != DoubleArrayTrie::kNoValue) {
          longest = trie_.value(node);
          longest_end = i + 1;
        }
      }
      if (longest == DoubleArrayTrie::kNoValue) return false;
      sink(longest, begin, longest_end);
      begin = longest_end;
      start = continuation_;
    }
    return true;
  }

  // The id of an entry of the vocabulary, or the unknown token's.
  int32_t id_of(std::string_view token) const;
  // The id of an entry of the vocabulary, or -1.
  int32_t find(std::string_view token) const { return trie_.find(token); }

  int32_t unk_id() const { return options_.unk_id; }
  size_t max_input_chars_per_word() const { return options_.max_input_chars_per_word; }

 private:
  WordPieceOptions options_;
  DoubleArrayTrie trie_;
  DoubleArrayTrie::Node continuation_;
};

}  // namespace bert_native
