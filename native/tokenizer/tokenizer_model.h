#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "tokenizer/flat_strings.h"
#include "tokenizer/models/model.h"
#include "tokenizer/models/wordpiece.h"

namespace bert_native {

// A vocabulary and the model over it: the heavy part of a tokenizer, which tokenizers that differ in the rest share.
class TokenizerModel {
 public:
  // `make` makes the model over the vocabulary that it is given, which stays where it is.
  TokenizerModel(FlatStrings vocabulary, const std::function<ModelPointer(const FlatStrings&)>& make);
  TokenizerModel(FlatStrings vocabulary, const WordPieceOptions& options);
  TokenizerModel(const TokenizerModel&) = delete;  // the model refers to the vocabulary
  TokenizerModel& operator=(const TokenizerModel&) = delete;

  const FlatStrings& vocabulary() const { return vocabulary_; }
  const Model& model() const { return *model_; }
  // The model, if it is WordPiece; else null.
  const WordPiece* wordpiece() const { return wordpiece_; }
  bool has(int32_t id) const { return id >= 0 && static_cast<size_t>(id) < vocabulary_.size(); }

 private:
  FlatStrings vocabulary_;
  ModelPointer model_;
  const WordPiece* wordpiece_;
};

}  // namespace bert_native
