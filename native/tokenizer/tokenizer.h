#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/thread_pool.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/decoders/wordpiece.h"
#include "tokenizer/encoding.h"
#include "tokenizer/pipelines/general.h"
#include "tokenizer/pipelines/pipeline.h"
#include "tokenizer/post_processors/template.h"
#include "tokenizer/tokenizer_model.h"

namespace bert_native {

struct TokenizerParts {
  std::shared_ptr<const TokenizerModel> model;
  std::vector<AddedToken> added_tokens;
  std::shared_ptr<const GeneralPipeline> general;
  std::unique_ptr<const Pipeline> pipeline;  // that gives the same faster; null: none
  TemplateProcessor post_processor;
  // How tokens become a text: by a chain of decoders (null: joined with spaces), or as the slow BertTokenizer does it.
  DecoderPointer decoder;
  std::optional<WordPieceDecoder> slow_decoder;
};

struct DecodeOptions {
  bool skip_special_tokens = false;
  bool clean_up_tokenization_spaces = false;
};

// Text to ids and back. Immutable but for memory kept from call to call: any number of threads may use one at the same
// time.
class Tokenizer {
 public:
  // Throws kOption for parts that do not hold together.
  explicit Tokenizer(TokenizerParts parts);
  ~Tokenizer();

  // Throws kTruncation, kOption, kMemory. Time is linear in the text.
  Encoding encode(const EncodeInput& input, const EncodeOptions& options) const;
  // The parts of a larger input, each by itself, on the pool's threads if there is one. Texts are released as they are
  // done with.
  std::vector<Encoding> encode(std::vector<EncodeInput> parts, const EncodeOptions& options, ThreadPool* pool) const;

  // One row of ids to UTF-8. Throws kTokenId for an id that neither the vocabulary nor the added tokens have.
  std::string decode(std::span<const int32_t> ids, const DecodeOptions& options) const;

  // The text of tokens that need not be in the vocabulary.
  std::string join(std::vector<std::string> tokens) const;

  // The parts before the model, for those who want to see what they do.
  const GeneralPipeline& general() const { return *general_; }

 private:
  struct AddedText {
    std::string content;  // UTF-8
    bool special = false;
    bool in_vocabulary = false;  // the vocabulary has the same string at this id
  };
  struct Workspace;
  struct EncodeJob;
  class WorkspaceLoan;

  void check_ids() const;
  bool knows(int32_t id) const;
  void tokenize_sample(const SampleTexts& texts, size_t sample, const EncodeJob& job, TokenRun& run) const;
  void tokenize_text(std::u16string_view text, const RunOptions& options, Pipeline::Scratch& scratch,
                     TokenRun& run) const;
  void append_margins(std::u16string_view text, TokenRun& run) const;
  void append_rows(bool is_pair, int32_t sample, const EncodeJob& job, Encoding& encoding) const;

  std::shared_ptr<const TokenizerModel> model_;
  AddedTokens added_tokens_;
  std::unordered_map<int32_t, AddedText> added_texts_;
  const Pipeline& pipeline() const { return pipeline_ != nullptr ? *pipeline_ : *general_; }

  std::shared_ptr<const GeneralPipeline> general_;
  std::unique_ptr<const Pipeline> pipeline_;
  TemplateProcessor post_processor_;
  DecoderPointer decoder_;
  std::optional<WordPieceDecoder> slow_decoder_;

  mutable std::mutex workspaces_mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> workspaces_;  // those that no call uses at the moment
};

}  // namespace bert_native
