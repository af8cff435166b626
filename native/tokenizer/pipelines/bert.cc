#include "tokenizer/pipelines/bert.h"

#include <utility>

#include "tokenizer/pre_tokenizers/bert.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

DoubleArrayTrie never_split_trie(const std::vector<std::u16string>& words, const WordPiece& model) {
  std::vector<std::pair<std::string, int32_t>> entries;
  for (const std::u16string& word : words) {
    std::string utf8 = unicode::to_utf8(word);
    const int32_t id = model.id_of(utf8);
    entries.emplace_back(std::move(utf8), id);
  }
  return DoubleArrayTrie(std::move(entries));
}

class BertPipeline : public Pipeline {
 public:
  BertPipeline(std::shared_ptr<const TokenizerModel> model, const BertNormalizerOptions& options,
               const std::vector<std::u16string>& never_split)
      : model_(std::move(model)), pre_tokenizer_(options, never_split_trie(never_split, model_->wordpiece())) {}

  std::unique_ptr<Pipeline::Scratch> make_scratch() const override {
    return std::make_unique<Scratch>(model_->wordpiece().max_input_chars_per_word());
  }

  int32_t tokenize(const TextPart& part, const RunOptions& options, int32_t first_word, Pipeline::Scratch& scratch,
                   TokenRun& run) const override {
    int32_t next_word = first_word;
    pre_tokenizer_.split(part.text.substr(0, part.end), part.begin,
                         static_cast<Scratch&>(scratch).word(options.offsets),
                         [&](const WordBuffer& word, int32_t never_split_id) {
                           append_word(word, never_split_id, options, run);
                           if (options.word_ids) run.word_ids.resize(run.size(), next_word);
                           ++next_word;
                           return run.size() < options.limit;
                         });
    return next_word - first_word;
  }

 private:
  class Scratch : public Pipeline::Scratch {
   public:
    explicit Scratch(size_t max_code_points) : bare_(max_code_points, false), with_origins_(max_code_points, true) {}

    WordBuffer& word(bool with_origins) { return with_origins ? with_origins_ : bare_; }

   private:
    WordBuffer bare_, with_origins_;
  };

  void append_word(const WordBuffer& word, int32_t never_split_id, const RunOptions& options, TokenRun& run) const {
    const WordPiece& model = model_->wordpiece();
    const size_t mark = run.size();
    const auto push = [&](int32_t id, Span span) {
      run.ids.push_back(id);
      if (options.offsets) run.offsets.push_back(span);
    };
    bool known = false;
    if (never_split_id != DoubleArrayTrie::kNoValue) {
      push(never_split_id, word.span());
      known = true;
    } else if (!word.too_long()) {
      known = model.tokenize(word.bytes(), [&](int32_t id, size_t begin, size_t end) {
        push(id, options.offsets ? word.span_of(begin, end) : Span{});
      });
    }
    if (known) return;
    run.ids.resize(mark);
    if (options.offsets) run.offsets.resize(mark);
    push(model.unk_id(), word.span());
  }

  std::shared_ptr<const TokenizerModel> model_;
  BertPreTokenizer pre_tokenizer_;
};

}  // namespace

std::unique_ptr<const Pipeline> make_bert_pipeline(std::shared_ptr<const TokenizerModel> model,
                                                   const BertNormalizerOptions& options,
                                                   const std::vector<std::u16string>& never_split) {
  return std::make_unique<BertPipeline>(std::move(model), options, never_split);
}

}  // namespace bert_native
