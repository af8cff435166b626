#include "tokenizer/tokenizer_model.h"

#include <utility>

namespace bert_native {

TokenizerModel::TokenizerModel(FlatStrings vocabulary, const WordPieceOptions& options)
    : vocabulary_(std::move(vocabulary)), wordpiece_(vocabulary_, options) {}

}  // namespace bert_native
