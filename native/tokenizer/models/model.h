#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/flat_strings.h"

namespace bert_native {

class WordPiece;
struct WordPieceOptions;

// A token of a word: bytes [begin, end) of it. They may cut a character, and tokens may overlap: bytes of an unknown
// character are tokens, and BPE adds sizes up as if what it drops had not been there.
struct ModelToken {
  int32_t id = 0;
  size_t begin = 0;
  size_t end = 0;

  bool operator==(const ModelToken&) const = default;
};

// `model` in tokenizer.json: a word to tokens, as the Rust library tokenizers cuts it. Immutable; what a thread needs
// to write to is its own Scratch.
class Model {
 public:
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };

  virtual ~Model() = default;

  virtual std::unique_ptr<Scratch> make_scratch() const = 0;
  // Appends the tokens of `word`, which is UTF-8 and not empty. Time is at most n log n in its length. Throws kOption
  // where the Rust library fails: at what is unknown to a Unigram or WordLevel model without an unknown token.
  virtual void tokenize(std::string_view word, Scratch& scratch, std::vector<ModelToken>& tokens) const = 0;
  // What the vocabulary has under that string, or kNoId.
  virtual int32_t id_of(std::string_view token) const = 0;
  // For what is written for WordPiece alone; null for every other model.
  virtual const WordPiece* wordpiece() const { return nullptr; }

  static constexpr int32_t kNoId = -1;
};

using ModelPointer = std::unique_ptr<const Model>;

struct BpeOptions {
  std::optional<int32_t> unk_id;
  std::string continuing_subword_prefix;
  std::string end_of_word_suffix;
  bool fuse_unk = false;
  bool byte_fallback = false;
  bool ignore_merges = false;  // a word that is in the vocabulary is one token
};

struct UnigramOptions {
  std::optional<int32_t> unk_id;
  bool byte_fallback = false;
};

// The models keep a reference to `vocabulary`, whose index is the id; of equal strings the last counts. They throw
// kFileFormat for data that do not fit together, naming the entry.

// `merges` holds two strings for each merge, in the order of rank.
ModelPointer make_bpe_model(const FlatStrings& vocabulary, const FlatStrings& merges, const BpeOptions& options);
// `scores` are log probabilities, one for each entry.
ModelPointer make_unigram_model(const FlatStrings& vocabulary, std::vector<double> scores,
                                const UnigramOptions& options);
ModelPointer make_word_level_model(const FlatStrings& vocabulary, std::optional<int32_t> unk_id);
ModelPointer make_wordpiece_model(const FlatStrings& vocabulary, const WordPieceOptions& options);

}  // namespace bert_native
