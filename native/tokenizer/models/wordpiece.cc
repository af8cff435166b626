#include "tokenizer/models/wordpiece.h"

namespace bert_native {

WordPiece::WordPiece(const FlatStrings& vocabulary, const WordPieceOptions& options)
    : options_(options), trie_(vocabulary), continuation_(trie_.walk(options.continuing_subword_prefix)) {}

int32_t WordPiece::id_of(std::string_view token) const {
  const int32_t id = trie_.find(token);
  return id == DoubleArrayTrie::kNoValue ? options_.unk_id : id;
}

}  // namespace bert_native
