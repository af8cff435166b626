#include "tokenizer/tokenizer.h"

#include <limits>
#include <utility>

#include "common/errors.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
constexpr int32_t kCountWords = -1;

DoubleArrayTrie never_split_trie(const std::vector<std::u16string>& words, const WordPiece& model) {
  std::vector<std::pair<std::string, int32_t>> entries;
  for (const std::u16string& word : words) {
    std::string utf8 = unicode::to_utf8(word);
    const int32_t id = model.id_of(utf8);
    entries.emplace_back(std::move(utf8), id);
  }
  return DoubleArrayTrie(std::move(entries));
}

// Tokens that a text needs to yield at most for the rows to come out the same; what follows need not be looked at.
size_t token_limit(const EncodeOptions& options) {
  const bool end_matters = options.truncation == Truncation::kNone || options.truncation_side == Side::kLeft ||
                           options.return_overflowing_tokens;
  return end_matters ? kNoLimit : options.max_length + 1;
}

}  // namespace

// What one call of encode() needs, reused from sample to sample.
struct Tokenizer::EncodeJob {
  const EncodeOptions& options;
  size_t room;   // tokens in a row beside the special ones; kNoLimit without truncation
  size_t limit;  // of tokens per text
  WordBuffer word;
  TokenRun first, second;
};

Tokenizer::Tokenizer(TokenizerDescription description)
    : vocabulary_(std::move(description.vocabulary)),
      added_tokens_(std::move(description.added_tokens)),
      model_(vocabulary_, description.model),
      pre_tokenizer_(description.normalizer, never_split_trie(description.never_split, model_)),
      post_processor_(std::move(description.single), std::move(description.pair)),
      decoder_(std::move(description.decoder_prefix)) {
  for (const AddedToken& token : added_tokens_.tokens()) {
    AddedText text{unicode::to_utf8(token.content), token.special, false};
    const auto index = static_cast<size_t>(token.id);
    text.in_vocabulary = index < vocabulary_.size() && vocabulary_[index] == text.content;
    added_texts_.insert_or_assign(token.id, std::move(text));
  }
  check_ids();
}

void Tokenizer::check_ids() const {
  const auto require = [&](int32_t id, const std::string& name) {
    if (!knows(id)) {
      throw Error(ErrorCode::kOption, name + " is " + std::to_string(id) + ", which is neither in the vocabulary of " +
                                          std::to_string(vocabulary_.size()) + " entries nor an added token");
    }
  };
  require(model_.unk_id(), "model.unk_id");
  for (const bool is_pair : {false, true}) {
    for (const TemplatePiece& piece : post_processor_.pieces(is_pair)) {
      if (piece.kind != TemplatePiece::Kind::kSpecial) continue;
      require(piece.special_id, std::string("special_id of post_processor.") + (is_pair ? "pair" : "single"));
    }
  }
}

bool Tokenizer::knows(int32_t id) const {
  return id >= 0 && (static_cast<size_t>(id) < vocabulary_.size() || added_texts_.count(id) != 0);
}

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
  EncodeJob job{options,
                truncates ? options.max_length - special : kNoLimit,
                token_limit(options),
                WordBuffer(model_.max_input_chars_per_word(), options.return_offsets),
                {},
                {}};
  Encoding encoding;
  for (size_t sample = 0; sample < samples; ++sample) {
    tokenize_sample(input.first, sample, job, job.first);
    if (input.has_second) tokenize_sample(input.second, sample, job, job.second);
    append_rows(input.has_second, static_cast<int32_t>(sample), job, encoding);
  }
  return encoding;
}

void Tokenizer::tokenize_sample(const SampleTexts& texts, size_t sample, EncodeJob& job, TokenRun& run) const {
  run.clear();
  if (!texts.split_into_words) {
    tokenize_text(texts.text(sample), kCountWords, job, run);
    return;
  }
  const int32_t begin = texts.word_starts[sample], end = texts.word_starts[sample + 1];
  for (int32_t i = begin; i < end && run.size() < job.limit; ++i) {
    tokenize_text(texts.text(static_cast<size_t>(i)), i - begin, job, run);
  }
}

// `word_id` kCountWords: number the words from 0; else it is the id of all of them.
void Tokenizer::tokenize_text(std::u16string_view text, int32_t word_id, EncodeJob& job, TokenRun& run) const {
  int32_t next_word = 0;
  const auto finish_word = [&] {
    if (job.options.return_word_ids) run.word_ids.resize(run.size(), word_id == kCountWords ? next_word : word_id);
    ++next_word;
    return run.size() < job.limit;
  };
  const auto push = [&](int32_t id, Span span) {
    run.ids.push_back(id);
    if (job.options.return_offsets) run.offsets.push_back(span);
  };
  const auto tokenize_word = [&](const WordBuffer& word, int32_t never_split_id) {
    const size_t mark = run.size();
    bool known = false;
    if (never_split_id != DoubleArrayTrie::kNoValue) {
      push(never_split_id, word.span());
      known = true;
    } else if (!word.too_long()) {
      known = model_.tokenize(word.bytes(), [&](int32_t id, size_t begin, size_t end) {
        push(id, job.options.return_offsets ? word.span_of(begin, end) : Span{});
      });
    }
    if (!known) {
      run.ids.resize(mark);
      if (job.options.return_offsets) run.offsets.resize(mark);
      push(model_.unk_id(), word.span());
    }
    return finish_word();
  };

  for (size_t begin = 0; begin < text.size();) {
    const std::optional<AddedTokens::Match> match = added_tokens_.find(text, begin);
    const size_t end = match ? match->begin : text.size();
    pre_tokenizer_.split(text.substr(0, end), begin, job.word, tokenize_word);
    if (!match || run.size() >= job.limit) return;
    push(match->id, {static_cast<int32_t>(match->begin), static_cast<int32_t>(match->end)});
    if (!finish_word()) return;
    begin = match->end;
  }
}

// The rows of one sample: what stays, then, if asked for, the other windows in the order of Encoding::merge_with in the
// Rust library tokenizers: each window of the first text with all of the second, then the first's kept tokens with the
// second's other windows.
void Tokenizer::append_rows(bool is_pair, int32_t sample, EncodeJob& job, Encoding& encoding) const {
  const EncodeOptions& options = job.options;
  const PairLengths lengths{job.first.size(), job.second.size()};
  const PairLengths kept = truncated_lengths(lengths, is_pair, job.room, options.truncation);
  const auto append = [&](Range first, Range second) {
    post_processor_.append_row({&job.first, first}, {is_pair ? &job.second : nullptr, second}, options, sample,
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
                                           " is neither in the vocabulary of " + std::to_string(vocabulary_.size()) +
                                           " entries nor an added token");
    }
    const auto added = added_texts_.find(ids[i]);
    if (added == added_texts_.end()) {
      tokens.push_back({vocabulary_[static_cast<size_t>(ids[i])], false});
    } else if (!(options.skip_special_tokens && added->second.special)) {
      tokens.push_back({added->second.content, !added->second.in_vocabulary});
    }
  }
  return decoder_.decode(tokens, options.clean_up_tokenization_spaces);
}

}  // namespace bert_native
