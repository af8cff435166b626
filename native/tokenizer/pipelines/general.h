#pragma once

#include <memory>
#include <vector>

#include "tokenizer/added_tokens.h"
#include "tokenizer/models/model.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/pipelines/pipeline.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace bert_native {

struct GeneralPipelineParts {
  std::shared_ptr<const Model> model;
  NormalizerPointer normalizer;          // null: none
  PreTokenizerPointer pre_tokenizer;     // null: none
  std::vector<AddedToken> added_tokens;  // those that are looked for in the normalised text
};

// The parts of a tokenizer.json one after the other, as the Rust library tokenizers runs them.
class GeneralPipeline : public Pipeline {
 public:
  explicit GeneralPipeline(GeneralPipelineParts parts);

  std::unique_ptr<Scratch> make_scratch() const override;
  int32_t tokenize(const TextPart& part, const RunOptions& options, int32_t first_word, Scratch& scratch,
                   TokenRun& run) const override;

  // Whether the tokens on one side of a single space have nothing to do with the other side, as long as plain
  // characters stand beside it: none that is a mark or becomes white space.
  bool works_word_by_word() const;

  // The normalised text, and what the model gets of it, added tokens left aside.
  NormalizedText normalize(std::u16string_view text) const;
  PreTokenizedText pre_tokenize(std::u16string_view text) const;

 private:
  struct Words;
  class GeneralScratch;

  bool tokenize_pieces(const PreTokenizedText& text, Words& words) const;
  bool tokenize_piece(const NormalizedText& text, Range piece, Words& words) const;
  PreTokenizedText pre_tokenize(NormalizedText text) const;

  std::shared_ptr<const Model> model_;
  NormalizerPointer normalizer_;
  PreTokenizerPointer pre_tokenizer_;
  AddedTokens added_tokens_;
};

}  // namespace bert_native
