#include "tokenizer/tokenizer_model.h"

#include <utility>

namespace bert_native {

TokenizerModel::TokenizerModel(FlatStrings vocabulary, const std::function<ModelPointer(const FlatStrings&)>& make)
    : vocabulary_(std::move(vocabulary)), model_(make(vocabulary_)), wordpiece_(model_->wordpiece()) {}

TokenizerModel::TokenizerModel(FlatStrings vocabulary, const WordPieceOptions& options)
    : TokenizerModel(std::move(vocabulary),
                     [&](const FlatStrings& entries) { return make_wordpiece_model(entries, options); }) {}

}  // namespace bert_native
