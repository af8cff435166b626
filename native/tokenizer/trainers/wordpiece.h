#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/normalizers/bert.h"
#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/trainers/word_counts.h"
#include "tokenizer/word_buffer.h"

namespace bert_native {

struct WordPieceTrainerOptions {
  size_t vocab_size = 30000;
  uint64_t min_frequency = 0;            // of the pair that makes a piece
  std::optional<size_t> limit_alphabet;  // how many characters are kept, the most frequent ones
  std::u32string initial_alphabet;       // kept before all others
  std::vector<std::string> special_tokens;
  std::string continuing_subword_prefix = "##";
};

// How far training has come, read by other threads; one of them may ask it to stop.
struct TrainingProgress {
  enum class Phase : int { kCounting, kPairs, kMerges };

  std::atomic<Phase> phase{Phase::kCounting};
  std::atomic<uint64_t> done{0}, total{0};  // words while pairs are counted, then tokens of the vocabulary
  std::atomic<bool> stop{false};
};

// Makes a vocabulary of WordPiece from texts: the words of BertNormalizer and BertPreTokenizer as characters, of which
// the most frequent pairs are merged, one after another (Sennrich et al. 2016, "Neural Machine Translation of Rare
// Words with Subword Units"), until the vocabulary is full.
//
// Gives what the trainer of the Rust library tokenizers gives, its order of the tokens included. Where that one follows
// the order of a hash table, which is another in every run, this one follows the code points: characters that continue
// words are numbered by them, and of equally frequent characters beyond the limit those of lower ones are kept.
class WordPieceTrainer {
 public:
  WordPieceTrainer(const BertNormalizerOptions& normalizer, WordPieceTrainerOptions options);

  // One thread at a time.
  void count_words(std::u16string_view text);
  const WordCounts& words() const { return words_; }

  // The vocabulary: special tokens, characters, characters that continue words, and pieces in the order in which they
  // were merged. Has more than `vocab_size` entries only where special tokens and characters alone are more. Throws
  // kAborted when it is asked to stop.
  std::vector<std::string> train(TrainingProgress& progress) const;

 private:
  WordPieceTrainerOptions options_;
  BertPreTokenizer pre_tokenizer_;
  WordBuffer buffer_{std::numeric_limits<size_t>::max() / 2, false};
  WordCounts words_;
};

}  // namespace bert_native
