#include "tokenizer/pipelines/general.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

// Contents as they stand in a normalised text; one that nothing is left of is never found.
std::vector<AddedToken> normalized_contents(std::vector<AddedToken> tokens, const Normalizer* normalizer) {
  for (AddedToken& token : tokens) {
    NormalizedText text = to_normalized_text(token.content, 0, token.content.size());
    if (normalizer != nullptr) normalizer->normalize(text);
    token.content = unicode::to_utf16(text.code_points);
  }
  std::erase_if(tokens, [](const AddedToken& token) { return token.content.empty(); });
  return tokens;
}

NormalizedText slice(const NormalizedText& text, Range range) {
  const auto origins = text.origins.begin();
  return {text.code_points.substr(range.begin, range.end - range.begin),
          {origins + static_cast<std::ptrdiff_t>(range.begin), origins + static_cast<std::ptrdiff_t>(range.end)}};
}

}  // namespace

class GeneralPipeline::GeneralScratch : public Pipeline::Scratch {
 public:
  explicit GeneralScratch(const Model& model) : model_scratch(model.make_scratch()) {}

  std::unique_ptr<Model::Scratch> model_scratch;
  std::string bytes;                         // a piece as UTF-8
  std::vector<uint32_t> code_point_of_byte;  // only where offsets are wanted
  std::vector<ModelToken> tokens;

  // After a huge piece: the next one is not likely to be.
  void shrink() {
    constexpr size_t kMostKept = size_t{1} << 18;
    if (bytes.capacity() <= kMostKept && tokens.capacity() <= kMostKept) return;
    bytes = {};
    code_point_of_byte = {};
    tokens = {};
  }
};

// Where the words of one call go.
struct GeneralPipeline::Words {
  const RunOptions& options;
  GeneralScratch& scratch;
  TokenRun& run;
  int32_t next_word;

  void push(int32_t id, Span span) {
    run.ids.push_back(id);
    if (options.offsets) run.offsets.push_back(span);
  }
  // Ends a word. False: no more are wanted.
  bool finish_word() {
    if (options.word_ids) run.word_ids.resize(run.size(), next_word);
    ++next_word;
    return run.size() < options.limit;
  }
};

GeneralPipeline::GeneralPipeline(GeneralPipelineParts parts)
    : model_(std::move(parts.model)),
      normalizer_(std::move(parts.normalizer)),
      pre_tokenizer_(std::move(parts.pre_tokenizer)),
      added_tokens_(normalized_contents(std::move(parts.added_tokens), normalizer_.get())) {}

std::unique_ptr<Pipeline::Scratch> GeneralPipeline::make_scratch() const {
  return std::make_unique<GeneralScratch>(*model_);
}

int32_t GeneralPipeline::tokenize(const TextPart& part, const RunOptions& options, int32_t first_word, Scratch& scratch,
                                  TokenRun& run) const {
  NormalizedText text = to_normalized_text(part.text, part.begin, part.end);
  if (normalizer_ != nullptr) normalizer_->normalize(text);
  Words words{options, static_cast<GeneralScratch&>(scratch), run, first_word};
  if (added_tokens_.empty()) {
    tokenize_pieces(pre_tokenize(std::move(text)), words);
    return words.next_word - first_word;
  }
  for (size_t begin = 0; begin < text.size();) {
    const std::optional<AddedTokens::Match> match = added_tokens_.find(text.code_points, begin);
    const size_t end = match ? match->begin : text.size();
    if (begin < end && !tokenize_pieces(pre_tokenize(slice(text, {begin, end})), words)) break;
    if (!match) break;
    words.push(match->id, {text.origins[match->begin].start, text.origins[match->end - 1].end});
    if (!words.finish_word()) break;
    begin = match->end;
  }
  return words.next_word - first_word;
}

bool GeneralPipeline::tokenize_pieces(const PreTokenizedText& text, Words& words) const {
  for (const Range& piece : text.pieces) {
    if (!tokenize_piece(text.text, piece, words)) return false;
  }
  return true;
}

bool GeneralPipeline::tokenize_piece(const NormalizedText& text, Range piece, Words& words) const {
  GeneralScratch& scratch = words.scratch;
  scratch.bytes.resize((piece.end - piece.begin) * unicode::kMaxUtf8Bytes);
  if (words.options.offsets) scratch.code_point_of_byte.clear();
  size_t size = 0;
  for (size_t i = piece.begin; i < piece.end; ++i) {
    size += unicode::encode_utf8(text.code_points[i], scratch.bytes.data() + size);
    if (words.options.offsets) scratch.code_point_of_byte.resize(size, static_cast<uint32_t>(i));
  }
  scratch.tokens.clear();
  model_->tokenize({scratch.bytes.data(), size}, *scratch.model_scratch, scratch.tokens);
  for (const ModelToken& token : scratch.tokens) {
    if (!words.options.offsets) {
      words.push(token.id, {});
      continue;
    }
    // A token may begin or end inside a character.
    const Span first = text.origins[scratch.code_point_of_byte[std::min(token.begin, size - 1)]];
    const Span last = text.origins[scratch.code_point_of_byte[std::clamp<size_t>(token.end, 1, size) - 1]];
    words.push(token.id, {first.start, last.end});
  }
  scratch.shrink();
  return words.finish_word();
}

PreTokenizedText GeneralPipeline::pre_tokenize(NormalizedText text) const {
  PreTokenizedText pieces;
  if (text.size() > 0) pieces.pieces.push_back({0, text.size()});
  pieces.text = std::move(text);
  if (pre_tokenizer_ != nullptr) pre_tokenizer_->pre_tokenize(pieces);
  return pieces;
}

bool GeneralPipeline::works_word_by_word() const {
  return added_tokens_.empty() && (normalizer_ == nullptr || normalizer_->keeps_words_apart()) &&
         pre_tokenizer_ != nullptr && pre_tokenizer_->cuts_at_spaces();
}

NormalizedText GeneralPipeline::normalize(std::u16string_view text) const {
  NormalizedText normalized = to_normalized_text(text, 0, text.size());
  if (normalizer_ != nullptr) normalizer_->normalize(normalized);
  return normalized;
}

PreTokenizedText GeneralPipeline::pre_tokenize(std::u16string_view text) const { return pre_tokenize(normalize(text)); }

}  // namespace bert_native
