#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "common/errors.h"
#include "common/thread_pool.h"
#include "tokenizer/post_processors/offset_trimming.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
constexpr size_t kMaxKeptTokens = size_t{1} << 16;  // per text, in the memory that stays after a call
constexpr size_t kMaxKeptWorkspaces = 64;

// Tokens that a text needs to yield at most for the rows to come out the same; what follows need not be looked at.
// Which of two texts is the longer one, the Rust library says after as many as max_length.
size_t token_limit(const EncodeOptions& options, OddToken odd_token, bool is_pair) {
  const bool end_matters = options.truncation == Truncation::kNone || options.truncation_side == Side::kLeft ||
                           options.return_overflowing_tokens;
  if (end_matters) return kNoLimit;
  const bool compares_lengths =
      is_pair && options.truncation == Truncation::kLongestFirst && odd_token == OddToken::kToLonger;
  return compares_lengths ? std::max<size_t>(options.max_length, 1) : options.max_length + 1;
}

// Those that are looked for in the text as it is; the pipeline knows the others.
std::vector<AddedToken> raw_tokens(std::vector<AddedToken> tokens) {
  std::erase_if(tokens, [](const AddedToken& token) { return token.normalized; });
  return tokens;
}

}  // namespace

// The memory that a thread writes to, kept from call to call for what the pipeline remembers there.
struct Tokenizer::Workspace {
  std::unique_ptr<Pipeline::Scratch> scratch;
  TokenRun first, second;
};

// A workspace for the length of a call.
class Tokenizer::WorkspaceLoan {
 public:
  explicit WorkspaceLoan(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    {
      const std::lock_guard lock(tokenizer.workspaces_mutex_);
      if (!tokenizer.workspaces_.empty()) {
        workspace_ = std::move(tokenizer.workspaces_.back());
        tokenizer.workspaces_.pop_back();
      }
    }
    if (!workspace_) workspace_ = std::make_unique<Workspace>(Workspace{tokenizer.pipeline().make_scratch(), {}, {}});
  }
  ~WorkspaceLoan() {
    for (TokenRun* run : {&workspace_->first, &workspace_->second}) {
      if (run->ids.capacity() > kMaxKeptTokens) *run = {};
    }
    const std::lock_guard lock(tokenizer_.workspaces_mutex_);
    if (tokenizer_.workspaces_.size() < tokenizer_.workspaces_.capacity()) {
      tokenizer_.workspaces_.push_back(std::move(workspace_));
    }
  }
  WorkspaceLoan(const WorkspaceLoan&) = delete;
  WorkspaceLoan& operator=(const WorkspaceLoan&) = delete;

  Workspace& operator*() const { return *workspace_; }

 private:
  const Tokenizer& tokenizer_;
  std::unique_ptr<Workspace> workspace_;
};

struct Tokenizer::EncodeJob {
  const EncodeOptions& options;
  size_t room;   // tokens in a row beside the special ones; kNoLimit without truncation
  size_t limit;  // of tokens per text
  Workspace& workspace;
};

Tokenizer::Tokenizer(TokenizerParts parts)
    : model_(std::move(parts.model)),
      added_tokens_(raw_tokens(parts.added_tokens)),
      general_(std::move(parts.general)),
      pipeline_(std::move(parts.pipeline)),
      post_processor_(std::move(parts.post_processor)),
      decoder_(std::move(parts.decoder)),
      slow_decoder_(std::move(parts.slow_decoder)) {
  for (const AddedToken& token : parts.added_tokens) {
    AddedText text{unicode::to_utf8(token.content), token.special, false};
    text.in_vocabulary = model_->has(token.id) && model_->vocabulary()[static_cast<size_t>(token.id)] == text.content;
    added_texts_.insert_or_assign(token.id, std::move(text));
  }
  check_ids();
  workspaces_.reserve(std::min(usable_thread_count(), kMaxKeptWorkspaces));
}

Tokenizer::~Tokenizer() = default;

void Tokenizer::check_ids() const {
  const auto require = [&](int32_t id, const std::string& name) {
    if (!knows(id)) {
      throw Error(ErrorCode::kOption, name + " is " + std::to_string(id) + ", which is neither in the vocabulary of " +
                                          std::to_string(model_->vocabulary().size()) + " entries nor an added token");
    }
  };
  for (const bool is_pair : {false, true}) {
    for (const TemplatePiece& piece : post_processor_.pieces(is_pair)) {
      if (piece.kind != TemplatePiece::Kind::kSpecial) continue;
      require(piece.special_id, std::string("special_id of post_processor.") + (is_pair ? "pair" : "single"));
    }
  }
}

bool Tokenizer::knows(int32_t id) const { return model_->has(id) || added_texts_.count(id) != 0; }

Encoding Tokenizer::encode(const EncodeInput& input, const EncodeOptions& options) const {
  const size_t samples = input.first.sample_count();
  if (input.has_second && input.second.sample_count() != samples) {
    throw Error(ErrorCode::kOption, "there are " + std::to_string(samples) + " first texts but " +
                                        std::to_string(input.second.sample_count()) + " second ones");
  }
  const size_t special = options.add_special_tokens ? post_processor_.special_count(input.has_second) : 0;
  const bool truncates = options.truncation != Truncation::kNone;
  if (truncates && options.max_length < special) {
    throw Error(ErrorCode::kTruncation, "max_length is " + std::to_string(options.max_length) + ", but the " +
                                            std::to_string(special) + " special tokens alone are more");
  }
  const WorkspaceLoan workspace(*this);
  const EncodeJob job{options, truncates ? options.max_length - special : kNoLimit,
                      token_limit(options, post_processor_.odd_token(), input.has_second), *workspace};
  Encoding encoding;
  for (size_t sample = 0; sample < samples; ++sample) {
    tokenize_sample(input.first, sample, job, job.workspace.first);
    if (input.has_second) tokenize_sample(input.second, sample, job, job.workspace.second);
    append_rows(input.has_second, input.first_sample + static_cast<int32_t>(sample), job, encoding);
  }
  return encoding;
}

std::vector<Encoding> Tokenizer::encode(std::vector<EncodeInput> parts, const EncodeOptions& options,
                                        ThreadPool* pool) const {
  std::vector<Encoding> encodings(parts.size());
  const auto encode_part = [&](size_t i, size_t) {
    encodings[i] = encode(parts[i], options);
    parts[i] = {};
  };
  if (pool != nullptr) {
    pool->parallel_for(parts.size(), encode_part);
  } else {
    for (size_t i = 0; i < parts.size(); ++i) encode_part(i, 0);
  }
  return encodings;
}

void Tokenizer::tokenize_sample(const SampleTexts& texts, size_t sample, const EncodeJob& job, TokenRun& run) const {
  run.clear();
  RunOptions options{job.options.return_offsets, job.options.return_word_ids, job.limit};
  const bool trims = options.offsets && post_processor_.trims_offsets();
  if (!texts.split_into_words) {
    tokenize_text(texts.text(sample), options, *job.workspace.scratch, run);
    if (trims) append_margins(texts.text(sample), run);
    return;
  }
  options.word_ids = false;  // the caller's words count
  const int32_t begin = texts.word_starts[sample], end = texts.word_starts[sample + 1];
  for (int32_t i = begin; i < end && run.size() < job.limit; ++i) {
    const std::u16string_view word = texts.text(static_cast<size_t>(i));
    tokenize_text(word, options, *job.workspace.scratch, run);
    if (trims) append_margins(word, run);
    if (job.options.return_word_ids) run.word_ids.resize(run.size(), i - begin);
  }
}

void Tokenizer::tokenize_text(std::u16string_view text, const RunOptions& options, Pipeline::Scratch& scratch,
                              TokenRun& run) const {
  int32_t next_word = 0;
  for (size_t begin = 0; begin < text.size();) {
    const std::optional<AddedTokens::Match> match = added_tokens_.find(text, begin);
    const size_t end = match ? match->begin : text.size();
    next_word += pipeline().tokenize({text, begin, end}, options, next_word, scratch, run);
    if (!match || run.size() >= options.limit) return;
    run.ids.push_back(match->id);
    if (options.offsets) {
      run.offsets.push_back({static_cast<int32_t>(match->begin), static_cast<int32_t>(match->end)});
    }
    if (options.word_ids) run.word_ids.push_back(next_word);
    ++next_word;
    if (run.size() >= options.limit) return;
    begin = match->end;
  }
}

// The margins of the tokens of `text`, which are the last of the run.
void Tokenizer::append_margins(std::u16string_view text, TokenRun& run) const {
  for (size_t i = run.margins.size(); i < run.size(); ++i) {
    const int32_t id = run.ids[i];
    const Span span = run.offsets[i];
    const std::u16string_view own =
        text.substr(static_cast<size_t>(span.start), static_cast<size_t>(span.end - span.start));
    const bool is_added = added_texts_.count(id) != 0;
    run.margins.push_back(is_added ? margin_of_text(own)
                                   : margin_of_token(model_->vocabulary()[static_cast<size_t>(id)], own));
  }
}

// The rows of one sample: what stays, then, if asked for, the other windows in the order of Encoding::merge_with in the
// Rust library tokenizers: each window of the first text with all of the second, then the first's kept tokens with the
// second's other windows.
void Tokenizer::append_rows(bool is_pair, int32_t sample, const EncodeJob& job, Encoding& encoding) const {
  const EncodeOptions& options = job.options;
  const TokenRun& first_run = job.workspace.first;
  const TokenRun& second_run = job.workspace.second;
  const PairLengths lengths{first_run.size(), is_pair ? second_run.size() : 0};
  const PairLengths kept =
      truncated_lengths(lengths, is_pair, job.room, options.truncation, post_processor_.odd_token());
  if (options.return_truncated) encoding.truncated.push_back(kept == lengths ? 0 : 1);
  const auto append = [&](Range first, Range second) {
    post_processor_.append_row({&first_run, first}, {is_pair ? &second_run : nullptr, second}, options, sample,
                               encoding);
  };
  if (!options.return_overflowing_tokens) {
    append(kept_range(lengths.first, kept.first, options.truncation_side),
           kept_range(lengths.second, kept.second, options.truncation_side));
    return;
  }
  const auto windows = [&](size_t length, size_t window) {
    return overflow_windows(length, window, options.stride, options.truncation_side);
  };
  const std::vector<Range> first_windows = windows(lengths.first, kept.first);
  const std::vector<Range> second_windows = windows(lengths.second, kept.second);
  append(first_windows[0], second_windows[0]);
  for (size_t i = 1; i < first_windows.size(); ++i) {
    for (const Range& second : second_windows) append(first_windows[i], second);
  }
  for (size_t i = 1; i < second_windows.size(); ++i) append(first_windows[0], second_windows[i]);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, const DecodeOptions& options) const {
  std::vector<DecodedToken> tokens;
  tokens.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!knows(ids[i])) {
      throw Error(ErrorCode::kTokenId, "id " + std::to_string(ids[i]) + " at position " + std::to_string(i) +
                                           " is neither in the vocabulary of " +
                                           std::to_string(model_->vocabulary().size()) + " entries nor an added token");
    }
    const auto added = added_texts_.find(ids[i]);
    if (added == added_texts_.end()) {
      tokens.push_back({model_->vocabulary()[static_cast<size_t>(ids[i])], false});
    } else if (!(options.skip_special_tokens && added->second.special)) {
      tokens.push_back({added->second.content, !added->second.in_vocabulary});
    }
  }
  if (slow_decoder_) return slow_decoder_->decode(tokens, options.clean_up_tokenization_spaces);
  std::vector<std::string> texts;
  texts.reserve(tokens.size());
  for (const DecodedToken& token : tokens) texts.emplace_back(token.text);
  std::string text = join(std::move(texts));
  return options.clean_up_tokenization_spaces ? clean_up_tokenization(std::move(text)) : text;
}

std::string Tokenizer::join(std::vector<std::string> tokens) const {
  if (slow_decoder_) {
    std::vector<DecodedToken> decoded;
    for (const std::string& token : tokens) decoded.push_back({token, false});
    return slow_decoder_->decode(decoded, false);
  }
  if (decoder_ != nullptr) decoder_->decode(tokens);
  std::string text;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (decoder_ == nullptr && i > 0) text += ' ';
    text += tokens[i];
  }
  return text;
}

}  // namespace bert_native
