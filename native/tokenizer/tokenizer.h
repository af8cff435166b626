#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/decoders/wordpiece.h"
#include "tokenizer/encoding.h"
#include "tokenizer/flat_strings.h"
#include "tokenizer/models/wordpiece.h"
#include "tokenizer/normalizers/bert.h"
#include "tokenizer/post_processors/template.h"
#include "tokenizer/pre_tokenizers/bert.h"

namespace bert_native {

// A tokenizer's parts as flat data; lib/binding/native.ts says what each field means.
struct TokenizerDescription {
  FlatStrings vocabulary;
  std::vector<AddedToken> added_tokens;
  BertNormalizerOptions normalizer;
  std::vector<std::u16string> never_split;
  WordPieceOptions model;
  std::vector<TemplatePiece> single, pair;
  std::string decoder_prefix;
};

struct DecodeOptions {
  bool skip_special_tokens = false;
  bool clean_up_tokenization_spaces = false;
};

// Text to ids and back. Immutable: any number of threads may use one at the same time.
class Tokenizer {
 public:
  // Throws kOption for a description that does not hold together.
  explicit Tokenizer(TokenizerDescription description);

  // Throws kTruncation, kOption, kMemory. Time is linear in the text.
  Encoding encode(const EncodeInput& input, const EncodeOptions& options) const;

  // One row of ids to UTF-8. Throws kTokenId for an id that neither the vocabulary nor the added tokens have.
  std::string decode(std::span<const int32_t> ids, const DecodeOptions& options) const;

 private:
  struct AddedText {
    std::string content;  // UTF-8
    bool special = false;
    bool in_vocabulary = false;  // the vocabulary has the same string at this id
  };
  struct EncodeJob;

  void check_ids() const;
  bool knows(int32_t id) const;
  void tokenize_sample(const SampleTexts& texts, size_t sample, EncodeJob& job, TokenRun& run) const;
  void tokenize_text(std::u16string_view text, int32_t word_id, EncodeJob& job, TokenRun& run) const;
  void append_rows(bool is_pair, int32_t sample, EncodeJob& job, Encoding& encoding) const;

  FlatStrings vocabulary_;
  AddedTokens added_tokens_;
  std::unordered_map<int32_t, AddedText> added_texts_;
  WordPiece model_;
  BertPreTokenizer pre_tokenizer_;
  TemplateProcessor post_processor_;
  WordPieceDecoder decoder_;
};

}  // namespace bert_native
