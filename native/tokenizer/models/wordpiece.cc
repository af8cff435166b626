#include "tokenizer/models/wordpiece.h"

#include <utility>
#include <vector>

namespace bert_native {

namespace {

DoubleArrayTrie build_trie(const FlatStrings& vocabulary, const CharacterCodes& codes) {
  std::vector<std::pair<std::string, int32_t>> entries;
  entries.reserve(vocabulary.size());
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    entries.emplace_back(codes.encode(vocabulary[id]), static_cast<int32_t>(id));
  }
  return DoubleArrayTrie(entries);
}

}  // namespace

WordPiece::WordPiece(const FlatStrings& vocabulary, const WordPieceOptions& options)
    : options_(options), codes_(vocabulary), trie_(build_trie(vocabulary, codes_)) {
  const std::string prefix = codes_.encode(options.continuing_subword_prefix);
  const bool is_known = prefix.empty() == options.continuing_subword_prefix.empty();
  continuation_ = is_known ? trie_.walk(prefix) : DoubleArrayTrie::kNone;
}

int32_t WordPiece::id_of(std::string_view token) const {
  const int32_t id = find(token);
  return id == DoubleArrayTrie::kNoValue ? options_.unk_id : id;
}

}  // namespace bert_native
