#include <algorithm>

#include "tokenizer/models/checks.h"
#include "tokenizer/models/model.h"
#include "tokenizer/models/wordpiece.h"

namespace bert_native {

namespace {

class WordPieceModel final : public Model {
 public:
  WordPieceModel(const FlatStrings& vocabulary, const WordPieceOptions& options) : pieces_(vocabulary, options) {
    check_unk_id(options.unk_id, vocabulary, "WordPiece");
    for (size_t id = 0; id < vocabulary.size(); ++id) {
      if (vocabulary[id].empty()) empty_id_ = static_cast<int32_t>(id);
    }
  }

  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }

  void tokenize(std::string_view word, Scratch&, std::vector<ModelToken>& tokens) const override {
    const size_t first = tokens.size();
    const auto append = [&tokens](int32_t id, size_t begin, size_t end) { tokens.push_back({id, begin, end}); };
    if (!is_too_long(word) && pieces_.tokenize(word, append)) return;
    tokens.resize(first);
    tokens.push_back({pieces_.unk_id(), 0, word.size()});
  }

  int32_t id_of(std::string_view token) const override { return token.empty() ? empty_id_ : pieces_.find(token); }
  const WordPiece* wordpiece() const override { return &pieces_; }

 private:
  bool is_too_long(std::string_view word) const {
    const auto starts_character = [](char byte) { return (static_cast<unsigned char>(byte) & 0xc0) != 0x80; };
    return word.size() > pieces_.max_input_chars_per_word() &&
           static_cast<size_t>(std::count_if(word.begin(), word.end(), starts_character)) >
               pieces_.max_input_chars_per_word();
  }

  WordPiece pieces_;
  int32_t empty_id_ = kNoId;  // of an empty entry, which never matches
};

}  // namespace

ModelPointer make_wordpiece_model(const FlatStrings& vocabulary, const WordPieceOptions& options) {
  return std::make_unique<WordPieceModel>(vocabulary, options);
}

}  // namespace bert_native
