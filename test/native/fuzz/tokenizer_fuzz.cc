// Texts through tokenizers of any parts: nothing but Error is thrown, ids are known, offsets lie inside their text,
// what is fast gives what the general parts give, and the ids decode.

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/errors.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/tokenizer_parts.h"
#include "tokenizer/pipelines/bert.h"
#include "tokenizer/pipelines/byte_level.h"
#include "tokenizer/pipelines/spaced.h"
#include "tokenizer/tokenizer.h"

namespace bert_native::fuzz {

namespace {

using Template = std::vector<TemplatePiece>;

TemplateProcessor make_template(FuzzInput& input) {
  const TemplatePiece special{TemplatePiece::Kind::kSpecial, 1, 0}, first{TemplatePiece::Kind::kFirst, 0, 0},
      second{TemplatePiece::Kind::kSecond, 0, 1};
  const auto bits = input.take<uint8_t>();
  const TemplateOptions options{(bits & 1) != 0, (bits & 2) != 0, (bits & 4) != 0};
  if ((bits & 8) != 0) return TemplateProcessor(Template{first}, Template{first, second}, options);
  return TemplateProcessor(Template{special, first, special}, Template{special, first, special, second, special},
                           options);
}

constexpr size_t kKeptTokenizers = 64;

struct Made {
  std::optional<Tokenizer> whole, general_alone;
  size_t known_ids = 0;
};

// The same parts twice: with what is faster, where there is something, and without.
void make_tokenizers(FuzzInput& input, Made& made) {
  const std::shared_ptr<const TokenizerModel> model = make_model(input);
  const std::shared_ptr<const Model> words(model, &model->model());
  const std::vector<AddedToken> added = make_added_tokens(input, model->vocabulary().size());
  std::vector<AddedToken> normalized;
  std::copy_if(added.begin(), added.end(), std::back_inserter(normalized),
               [](const auto& token) { return token.normalized; });
  const bool byte_level = input.below(6) == 0, composes = byte_level && input.flag(), prefix_space = input.flag();
  GeneralPipelineParts parts{words, nullptr, nullptr, normalized};
  if (byte_level) {
    if (composes) parts.normalizer = make_unicode_normalizer(UnicodeForm::kNfc);
    parts.pre_tokenizer = make_byte_level_pre_tokenizer(prefix_space, true);
  } else {
    if (input.below(4) != 0) parts.normalizer = make_normalizer(input);
    if (input.below(4) != 0) parts.pre_tokenizer = make_pre_tokenizer(input);
  }
  const auto general = std::make_shared<const GeneralPipeline>(std::move(parts));
  std::unique_ptr<const Pipeline> fast =
      byte_level ? make_byte_level_pipeline(general, {words, normalized, prefix_space, composes})
                 : make_spaced_pipeline(general);
  const TemplateProcessor post_processor = make_template(input);
  made.known_ids = model->vocabulary().size();
  for (const AddedToken& token : added) made.known_ids = std::max(made.known_ids, static_cast<size_t>(token.id) + 1);
  made.general_alone.emplace(TokenizerParts{model, added, general, nullptr, post_processor, nullptr, std::nullopt});
  DecoderPointer decoder = input.flag() ? make_decoder(input) : nullptr;
  made.whole.emplace(
      TokenizerParts{model, added, general, std::move(fast), post_processor, std::move(decoder), std::nullopt});
}

EncodeOptions make_options(FuzzInput& input) {
  const auto bits = input.take<uint8_t>();
  EncodeOptions options;
  options.add_special_tokens = (bits & 1) != 0;
  options.truncation = static_cast<Truncation>(input.below(4));
  options.max_length = input.length(24);
  options.return_overflowing_tokens = (bits & 2) != 0;
  options.stride = options.return_overflowing_tokens ? input.length(6) : 0;
  options.truncation_side = (bits & 4) != 0 ? Side::kLeft : Side::kRight;
  options.return_offsets = (bits & 8) != 0;
  options.return_word_ids = (bits & 16) != 0;
  options.return_truncated = (bits & 32) != 0;
  return options;
}

SampleTexts one_text(const std::u16string& text) { return {{text.begin(), text.end()}, {0, text.size()}, false, {}}; }

// A normalizer may make more of a text, or of an added token, than its limit allows. No other lack of memory is a
// refusal.
bool is_growth(const Error& error) {
  return error.code() == ErrorCode::kMemory &&
         std::string_view(error.what()).starts_with("the normalizer makes more than");
}

// The encoding, or what was wrong with the request.
std::optional<Encoding> encode(const Tokenizer& tokenizer, const EncodeInput& input, const EncodeOptions& options) {
  try {
    return tokenizer.encode(input, options);
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kTruncation || error.code() == ErrorCode::kOption || is_growth(error),
            error.what());
    return std::nullopt;
  }
}

void check(const Encoding& encoding, const EncodeOptions& options, size_t known_ids, size_t first_size,
           size_t second_size) {
  const size_t tokens = encoding.ids.size();
  require(encoding.row_starts.front() == 0 && static_cast<size_t>(encoding.row_starts.back()) == tokens, "row starts");
  require(std::is_sorted(encoding.row_starts.begin(), encoding.row_starts.end()), "row starts ascend");
  require(encoding.sample_of_row.size() + 1 == encoding.row_starts.size(), "a sample for each row");
  require(encoding.type_ids.size() == tokens && encoding.sequence_ids.size() == tokens, "types and sequences");
  for (const int32_t id : encoding.ids) require(id >= 0 && static_cast<size_t>(id) < known_ids, "a known id");
  require(encoding.offsets.size() == (options.return_offsets ? tokens : 0), "offsets");
  require(encoding.word_ids.size() == (options.return_word_ids ? tokens : 0), "word ids");
  for (size_t i = 0; i < encoding.offsets.size(); ++i) {
    const auto [start, end] = encoding.offsets[i];
    const size_t size = encoding.sequence_ids[i] == 1 ? second_size : first_size;
    require(0 <= start && start <= end && static_cast<size_t>(end) <= size, "offsets inside the text");
  }
  if (options.truncation == Truncation::kLongestFirst && options.max_length < 1000) {
    for (size_t row = 0; row + 1 < encoding.row_starts.size(); ++row) {
      const auto length = static_cast<size_t>(encoding.row_starts[row + 1] - encoding.row_starts[row]);
      require(length <= options.max_length, "a row of max_length at most");
    }
  }
}

}  // namespace

// Making a tokenizer takes longer than using it: those of the last inputs are kept, by the bytes that say what they are
// made of.
const Made& tokenizers_of(const std::string& recipe) {
  static std::map<std::string, std::unique_ptr<Made>> kept;
  std::unique_ptr<Made>& made = kept[recipe];
  if (made != nullptr) return *made;
  if (kept.size() > kKeptTokenizers) {
    kept.clear();
    return tokenizers_of(recipe);
  }
  made = std::make_unique<Made>();
  FuzzInput input(reinterpret_cast<const uint8_t*>(recipe.data()), recipe.size());
  try {
    make_tokenizers(input, *made);
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kOption || error.code() == ErrorCode::kFileFormat || is_growth(error),
            error.what());
    made->whole.reset();
  }
  return *made;
}

static void run_tokenizer(FuzzInput& input) {
  const Made& made = tokenizers_of(input.front(input.take<uint8_t>()));
  if (!made.whole) return;
  EncodeOptions options = make_options(input);
  const bool is_pair = input.flag();
  const std::u16string second = is_pair ? input.text(64) : u"", first = input.text(1000);
  const EncodeInput given{one_text(first), is_pair, one_text(second), 0};
  const std::optional<Encoding> encoding = encode(*made.whole, given, options);
  if (encoding) check(*encoding, options, made.known_ids, first.size(), second.size());
  // Offsets come from the general parts, so that this asks for the same ids in two ways.
  options.return_offsets = options.return_word_ids = false;
  const std::optional<Encoding> fast = encode(*made.whole, given, options);
  const std::optional<Encoding> general = encode(*made.general_alone, given, options);
  require(fast.has_value() == general.has_value(), "fast and general parts fail alike");
  require(fast.has_value() == encoding.has_value(), "with and without offsets they fail alike");
  if (!fast) return;
  require(fast->ids == general->ids && fast->row_starts == general->row_starts,
          "fast parts give the general ones' ids");
  require(fast->ids == encoding->ids, "ids are the same with and without offsets");
  try {
    made.whole->decode(fast->ids, {(options.stride & 1) != 0, is_pair});
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kOption, error.what());
  }
}

BN_FUZZ_TARGET(tokenizer, run_tokenizer)

}  // namespace bert_native::fuzz
