#include "common/errors.h"
#include "tokenizer/models/checks.h"
#include "tokenizer/models/model.h"
#include "tokenizer/models/string_table.h"

namespace bert_native {

namespace {

class WordLevel final : public Model {
 public:
  WordLevel(const FlatStrings& vocabulary, std::optional<int32_t> unk_id) : ids_(vocabulary), unk_id_(unk_id) {
    check_unk_id(unk_id, vocabulary, "WordLevel");
  }

  std::unique_ptr<Scratch> make_scratch() const override { return std::make_unique<Scratch>(); }

  void tokenize(std::string_view word, Scratch&, std::vector<ModelToken>& tokens) const override {
    int32_t id = ids_.find(word);
    if (id == kNoId) {
      if (!unk_id_) {
        throw Error(ErrorCode::kOption,
                    "'" + shown(word) + "' is not in the vocabulary, and the WordLevel model has no unknown token");
      }
      id = *unk_id_;
    }
    tokens.push_back({id, 0, word.size()});
  }

  int32_t id_of(std::string_view token) const override { return ids_.find(token); }

 private:
  StringTable ids_;
  std::optional<int32_t> unk_id_;
};

}  // namespace

ModelPointer make_word_level_model(const FlatStrings& vocabulary, std::optional<int32_t> unk_id) {
  return std::make_unique<WordLevel>(vocabulary, unk_id);
}

}  // namespace bert_native
