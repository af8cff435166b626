#include "tokenizer/models/wordpiece.h"

#include <utility>
#include <vector>

namespace bert_native {

namespace {

DoubleArrayTrie build_trie(const FlatStrings& vocabulary) {
  std::vector<std::pair<std::string, int32_t>> entries;
  entries.reserve(vocabulary.size());
  for (size_t id = 0; id < vocabulary.size(); ++id) entries.emplace_back(vocabulary[id], static_cast<int32_t>(id));
  return DoubleArrayTrie(std::move(entries));
}

}  // namespace

WordPiece::WordPiece(const FlatStrings& vocabulary, const WordPieceOptions& options)
    : options_(options), trie_(build_trie(vocabulary)), continuation_(trie_.walk(options.continuing_subword_prefix)) {}

int32_t WordPiece::id_of(std::string_view token) const {
  const int32_t id = trie_.find(token);
  return id == DoubleArrayTrie::kNoValue ? options_.unk_id : id;
}

}  // namespace bert_native
