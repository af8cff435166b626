#include "binding/tokenizer.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binding/arrays.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/jobs.h"
#include "binding/tokenizer_parts.h"
#include "binding/values.h"
#include "cpu/background.h"
#include "tokenizer/models/model.h"
#include "tokenizer/normalizers/bert.h"
#include "tokenizer/pipelines/bert.h"
#include "tokenizer/pipelines/byte_level.h"
#include "tokenizer/pipelines/general.h"
#include "tokenizer/pipelines/spaced.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

using SharedTokenizer = std::shared_ptr<const Tokenizer>;

void read_utf16(napi_env env, napi_value string, std::vector<char16_t>& to) {
  size_t length = 0;
  napi_get_value_string_utf16(env, string, nullptr, 0, &length);
  const size_t begin = to.size();
  to.resize(begin + length + 1);  // the getter ends the string with a NUL
  napi_get_value_string_utf16(env, string, to.data() + begin, length + 1, &length);
  to.resize(begin + length);
}

FlatStrings read_flat_strings(const Fields& fields) {
  const std::vector<char> bytes = fields.typed_array<char>("bytes", napi_uint8_array, "a Uint8Array");
  return FlatStrings(std::string(bytes.begin(), bytes.end()),
                     fields.typed_array<uint32_t>("starts", napi_uint32_array, "a Uint32Array"));
}

std::optional<int32_t> read_unk_id(const Fields& fields) {
  return fields.is_null("unk_id") ? std::nullopt : std::optional(fields.integer("unk_id", 0));
}

// Everything that a model is made of, as plain data.
struct ModelDescription {
  FlatStrings vocabulary;
  std::function<ModelPointer(const FlatStrings&)> make;
};

std::function<ModelPointer(const FlatStrings&)> read_model(const Fields& fields) {
  const std::string type = fields.utf8("type");
  if (type == "WordPiece") {
    const WordPieceOptions options{fields.integer("unk_id", 0), fields.utf8("continuing_subword_prefix"),
                                   static_cast<size_t>(fields.integer("max_input_chars_per_word", 0))};
    return [options](const FlatStrings& vocabulary) { return make_wordpiece_model(vocabulary, options); };
  }
  if (type == "BPE") {
    const auto merges = std::make_shared<const FlatStrings>(read_flat_strings(fields.object("merges")));
    const BpeOptions options{
        read_unk_id(fields),        fields.utf8("continuing_subword_prefix"), fields.utf8("end_of_word_suffix"),
        fields.boolean("fuse_unk"), fields.boolean("byte_fallback"),          fields.boolean("ignore_merges")};
    return [merges, options](const FlatStrings& vocabulary) { return make_bpe_model(vocabulary, *merges, options); };
  }
  if (type == "Unigram") {
    const auto scores = fields.typed_array<double>("scores", napi_float64_array, "a Float64Array");
    const UnigramOptions options{read_unk_id(fields), fields.boolean("byte_fallback")};
    return [scores, options](const FlatStrings& vocabulary) { return make_unigram_model(vocabulary, scores, options); };
  }
  if (type == "WordLevel") {
    return [unk_id = read_unk_id(fields)](const FlatStrings& vocabulary) {
      return make_word_level_model(vocabulary, unk_id);
    };
  }
  throw_expected(fields.path("type"), "'WordPiece', 'BPE', 'Unigram' or 'WordLevel'");
}

ModelDescription read_model_description(const Napi::Value& value) {
  const Fields fields(value, "description");
  return {read_flat_strings(fields.object("vocabulary")), read_model(fields.object("model"))};
}

using SharedModel = std::shared_ptr<const TokenizerModel>;

SharedModel make_model(ModelDescription description) {
  return std::make_shared<const TokenizerModel>(std::move(description.vocabulary), description.make);
}

// The handle of a model: an object with functions, tagged so that create_tokenizer knows it again.
constexpr napi_type_tag kModelTag{0x6d2e4a51b0c94f37, 0x9a1f5e7c83d26b04};

Napi::Value to_handle(Napi::Env env, const SharedModel& model) {
  Napi::Object handle = Napi::Object::New(env);
  handle.Set("size", Napi::Number::New(env, static_cast<double>(model->vocabulary().size())));
  handle.Set("token_to_id", Napi::Function::New(
                                env,
                                [model](const Napi::CallbackInfo& info) {
                                  return guarded(info.Env(), [&]() -> Napi::Value {
                                    if (!info[0].IsString()) throw_expected("token", "a string");
                                    const std::u16string token = info[0].As<Napi::String>().Utf16Value();
                                    const int32_t id = model->model().id_of(unicode::to_utf8(token));
                                    return Napi::Number::New(info.Env(), id);
                                  });
                                },
                                "token_to_id"));
  handle.Set("id_to_token", Napi::Function::New(
                                env,
                                [model](const Napi::CallbackInfo& info) {
                                  return guarded(info.Env(), [&]() -> Napi::Value {
                                    const double id =
                                        info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
                                    const bool known = id >= 0 && id < static_cast<double>(model->vocabulary().size());
                                    if (!known || id != std::trunc(id)) return info.Env().Null();
                                    const std::string_view token = model->vocabulary()[static_cast<size_t>(id)];
                                    return Napi::String::New(info.Env(), token.data(), token.size());
                                  });
                                },
                                "id_to_token"));
  auto held = std::make_unique<SharedModel>(model);
  const auto release = [](napi_env, void* data, void*) { delete static_cast<SharedModel*>(data); };
  if (napi_type_tag_object(env, handle, &kModelTag) != napi_ok) throw Napi::Error::New(env);
  if (napi_wrap(env, handle, held.get(), release, nullptr, nullptr) != napi_ok) throw Napi::Error::New(env);
  held.release();
  return handle;
}

SharedModel read_model_handle(const Fields& fields, Napi::Env env) {
  const Napi::Value handle = fields.value("model");
  bool is_model = false;
  if (handle.IsObject()) napi_check_object_type_tag(env, handle, &kModelTag, &is_model);
  void* model = nullptr;
  if (!is_model || napi_unwrap(env, handle, &model) != napi_ok) {
    throw_expected(fields.path("model"), "what create_tokenizer_model() returns");
  }
  return *static_cast<const SharedModel*>(model);
}

class CreateModelJob : public ThreadJob {
 public:
  CreateModelJob(Napi::Env env, ModelDescription description) : ThreadJob(env), description_(std::move(description)) {}

  void run(ThreadPool&) override { model_ = make_model(std::move(description_)); }
  Napi::Value result(Napi::Env env) override { return to_handle(env, model_); }

 private:
  ModelDescription description_;
  SharedModel model_;
};

std::vector<AddedToken> read_added_tokens(const Fields& description) {
  std::vector<AddedToken> tokens;
  description.each("added_tokens", [&](const Napi::Value& value, auto&& path) {
    const Fields fields(value, path());
    tokens.push_back({fields.utf16("content"), fields.integer("id", 0), fields.boolean("special"),
                      fields.boolean("lstrip"), fields.boolean("rstrip"), fields.boolean("single_word"),
                      fields.boolean("normalized")});
  });
  return tokens;
}

std::vector<TemplatePiece> read_template(const Fields& fields, const char* name) {
  using Kind = TemplatePiece::Kind;
  std::vector<TemplatePiece> pieces;
  fields.each(name, [&](const Napi::Value& value, auto&& path) {
    const Fields piece(value, path());
    const auto type_id = static_cast<uint8_t>(piece.integer("type_id", 0, 255));
    if (piece.is_null("sequence")) {
      pieces.push_back({Kind::kSpecial, piece.integer("special_id", 0), type_id});
      return;
    }
    const std::string sequence = piece.utf8("sequence");
    if (sequence != "A" && sequence != "B") throw_expected(piece.path("sequence"), "'A' or 'B'");
    pieces.push_back({sequence == "A" ? Kind::kFirst : Kind::kSecond, 0, type_id});
  });
  return pieces;
}

TemplateProcessor read_post_processor(const Fields& fields) {
  TemplateOptions options;
  options.always_type_ids = fields.boolean("always_type_ids");
  options.trims_offsets = !fields.is_null("trim_offsets");
  if (options.trims_offsets) options.adds_prefix_space = fields.object("trim_offsets").boolean("add_prefix_space");
  return TemplateProcessor(read_template(fields, "single"), read_template(fields, "pair"), options);
}

std::vector<std::u16string> read_strings(const Fields& fields, const char* name) {
  std::vector<std::u16string> strings;
  fields.each(name, [&](const Napi::Value& value, auto&& path) {
    if (!value.IsString()) throw_expected(path(), "a string");
    strings.push_back(value.As<Napi::String>().Utf16Value());
  });
  return strings;
}

bool has_type(const Fields& fields, const char* name, const char* type) {
  return !fields.is_null(name) && fields.object(name).utf8("type") == type;
}

std::vector<AddedToken> normalized_tokens(std::vector<AddedToken> tokens) {
  std::erase_if(tokens, [](const AddedToken& token) { return !token.normalized; });
  return tokens;
}

std::shared_ptr<const GeneralPipeline> read_general_pipeline(const Fields& fields, const SharedModel& model,
                                                             const std::vector<AddedToken>& added_tokens) {
  return std::make_shared<const GeneralPipeline>(GeneralPipelineParts{
      std::shared_ptr<const Model>(model, &model->model()),
      fields.is_null("normalizer") ? nullptr : read_normalizer(fields.object("normalizer")),
      fields.is_null("pre_tokenizer") ? nullptr : read_pre_tokenizer(fields.object("pre_tokenizer")),
      normalized_tokens(added_tokens)});
}

// GPT-2's way of cutting, and no normalizer that would often change a text.
bool is_byte_level(const Fields& fields) {
  return has_type(fields, "pre_tokenizer", "ByteLevel") && fields.object("pre_tokenizer").boolean("use_regex") &&
         (fields.is_null("normalizer") || has_type(fields, "normalizer", "NFC"));
}

// BERT's parts have a pipeline of their own, which is much the faster; it does not look for added tokens in what it
// has normalised. Null where it cannot be used.
std::unique_ptr<const Pipeline> read_bert_pipeline(const Fields& fields, const SharedModel& model,
                                                   const std::vector<AddedToken>& added_tokens) {
  const bool is_bert = model->wordpiece() != nullptr && has_type(fields, "normalizer", "BertNormalizer") &&
                       has_type(fields, "pre_tokenizer", "BertPreTokenizer");
  std::vector<std::u16string> never_split;
  if (has_type(fields, "pre_tokenizer", "BertPreTokenizer")) {
    never_split = read_strings(fields.object("pre_tokenizer"), "never_split");
  }
  if (is_bert && normalized_tokens(added_tokens).empty()) {
    return make_bert_pipeline(model, read_bert_normalizer_options(fields.object("normalizer")), never_split);
  }
  if (!never_split.empty()) {
    throw_expected(fields.path("pre_tokenizer") + ".never_split",
                   "no words, unless with BertNormalizer, WordPiece and without added tokens that are normalized");
  }
  return nullptr;
}

// A faster way to what `general` gives; null where there is none.
std::unique_ptr<const Pipeline> read_fast_pipeline(const Fields& fields, const SharedModel& model,
                                                   const std::vector<AddedToken>& added_tokens,
                                                   const std::shared_ptr<const GeneralPipeline>& general) {
  auto bert = read_bert_pipeline(fields, model, added_tokens);
  if (bert != nullptr) return bert;
  std::vector<AddedToken> normalized = normalized_tokens(added_tokens);
  const bool has_normalizer = !fields.is_null("normalizer");
  if (is_byte_level(fields) && (normalized.empty() || !has_normalizer)) {
    return make_byte_level_pipeline(general,
                                    {std::shared_ptr<const Model>(model, &model->model()), std::move(normalized),
                                     fields.object("pre_tokenizer").boolean("add_prefix_space"), has_normalizer});
  }
  return make_spaced_pipeline(general);
}

TokenizerParts read_description(const Napi::Value& value) {
  const Fields fields(value, "description");
  SharedModel model = read_model_handle(fields, value.Env());
  std::vector<AddedToken> added_tokens = read_added_tokens(fields);
  auto general = read_general_pipeline(fields, model, added_tokens);
  auto fast = read_fast_pipeline(fields, model, added_tokens, general);
  TokenizerParts parts{std::move(model),
                       std::move(added_tokens),
                       std::move(general),
                       std::move(fast),
                       read_post_processor(fields.object("post_processor")),
                       nullptr,
                       std::nullopt};
  if (has_type(fields, "decoder", "SlowWordPiece")) {
    parts.slow_decoder.emplace(fields.object("decoder").utf8("prefix"));
  } else if (!fields.is_null("decoder")) {
    parts.decoder = read_decoder(fields.object("decoder"));
  }
  return parts;
}

void check_word_starts(const SampleTexts& texts, const std::string& path) {
  const std::vector<int32_t>& starts = texts.word_starts;
  bool ascends = !starts.empty() && starts.front() == 0;
  for (size_t i = 1; ascends && i < starts.size(); ++i) ascends = starts[i] >= starts[i - 1];
  if (!ascends || static_cast<size_t>(starts.back()) != texts.text_count()) {
    throw_expected(path, "numbers that ascend from 0 to the number of texts, " + std::to_string(texts.text_count()));
  }
}

SampleTexts read_texts(const Fields& fields) {
  SampleTexts texts;
  fields.each("texts", [&](const Napi::Value& value, auto&& path) {
    if (!value.IsString()) throw_expected(path(), "a string");
    read_utf16(value.Env(), value, texts.units);
    texts.starts.push_back(texts.units.size());
  });
  if (!fields.is_null("word_starts")) {
    texts.split_into_words = true;
    texts.word_starts = fields.typed_array<int32_t>("word_starts", napi_int32_array, "an Int32Array or null");
    check_word_starts(texts, fields.path("word_starts"));
  }
  return texts;
}

EncodeInput read_input(const Napi::Value& value) {
  const Fields fields(value, "input");
  EncodeInput input;
  input.first = read_texts(fields.object("first"));
  input.has_second = !fields.is_null("second");
  if (input.has_second) input.second = read_texts(fields.object("second"));
  return input;
}

Truncation read_truncation(const Fields& fields) {
  const std::string name = fields.utf8("truncation");
  if (name == "none") return Truncation::kNone;
  if (name == "longest_first") return Truncation::kLongestFirst;
  if (name == "only_first") return Truncation::kOnlyFirst;
  if (name == "only_second") return Truncation::kOnlySecond;
  throw_expected(fields.path("truncation"), "'none', 'longest_first', 'only_first' or 'only_second'");
}

Side read_side(const Fields& fields) {
  const std::string name = fields.utf8("truncation_side");
  if (name == "right") return Side::kRight;
  if (name == "left") return Side::kLeft;
  throw_expected(fields.path("truncation_side"), "'right' or 'left'");
}

EncodeOptions read_encode_options(const Napi::Value& value) {
  const Fields fields(value, "options");
  EncodeOptions options;
  options.add_special_tokens = fields.boolean("add_special_tokens");
  options.truncation = read_truncation(fields);
  if (options.truncation != Truncation::kNone) {
    options.max_length = static_cast<size_t>(fields.integer("max_length", 0));
  }
  options.truncation_side = read_side(fields);
  options.return_overflowing_tokens = fields.boolean("return_overflowing_tokens");
  if (options.return_overflowing_tokens) options.stride = static_cast<size_t>(fields.integer("stride", 0));
  options.return_offsets = fields.boolean("return_offsets");
  options.return_word_ids = fields.boolean("return_word_ids");
  return options;
}

template <typename Array, typename T>
Napi::Value to_typed_array(Napi::Env env, const char* constructor, const std::vector<T>& values) {
  using Element = std::remove_pointer_t<decltype(std::declval<Array>().Data())>;
  static_assert(sizeof(T) % sizeof(Element) == 0);
  Array array = make_typed_array<Array>(env, constructor, values.size() * (sizeof(T) / sizeof(Element)));
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

template <typename T>
Napi::Value to_int32_array(Napi::Env env, const std::vector<T>& values) {
  return to_typed_array<Napi::Int32Array>(env, "Int32Array", values);
}

Napi::Value to_object(Napi::Env env, const Encoding& encoding, const EncodeOptions& options) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("ids", to_int32_array(env, encoding.ids));
  result.Set("row_starts", to_int32_array(env, encoding.row_starts));
  result.Set("sample_of_row", to_int32_array(env, encoding.sample_of_row));
  result.Set("type_ids", to_typed_array<Napi::Uint8Array>(env, "Uint8Array", encoding.type_ids));
  result.Set("sequence_ids", to_typed_array<Napi::Int8Array>(env, "Int8Array", encoding.sequence_ids));
  result.Set("offsets", options.return_offsets ? to_int32_array(env, encoding.offsets) : env.Null());
  result.Set("word_ids", options.return_word_ids ? to_int32_array(env, encoding.word_ids) : env.Null());
  return result;
}

Napi::Value encode(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    const EncodeInput input = read_input(info[0]);
    const EncodeOptions options = read_encode_options(info[1]);
    return to_object(env, tokenizer->encode(input, options), options);
  });
}

class EncodeJob : public ThreadJob {
 public:
  EncodeJob(Napi::Env env, SharedTokenizer tokenizer, EncodeInput input, EncodeOptions options)
      : ThreadJob(env), tokenizer_(std::move(tokenizer)), input_(std::move(input)), options_(options) {}

  void run(ThreadPool&) override { encoding_ = tokenizer_->encode(input_, options_); }
  Napi::Value result(Napi::Env env) override { return to_object(env, encoding_, options_); }

 private:
  SharedTokenizer tokenizer_;
  EncodeInput input_;
  EncodeOptions options_;
  Encoding encoding_;
};

// Runs `start`, which gives a promise; what it throws rejects one.
template <typename Start>
Napi::Value promised(Napi::Env env, Start&& start) {
  try {
    return guarded(env, [&]() -> Napi::Value { return start(env); });
  } catch (const Napi::Error& error) {
    const Napi::Promise::Deferred refused = Napi::Promise::Deferred::New(env);
    refused.Reject(error.Value());
    return refused.Promise();
  }
}

Napi::Value encode_async(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  return promised(info.Env(), [&](Napi::Env env) {
    auto job = std::make_unique<EncodeJob>(env, tokenizer, read_input(info[0]), read_encode_options(info[1]));
    return environment_data(env).jobs.submit(std::move(job), run_in_background);
  });
}

Napi::Value decode(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const auto ids = Fields::read_typed_array<int32_t>(info[0], "ids", napi_int32_array, "an Int32Array");
    const auto row_starts = Fields::read_typed_array<int32_t>(info[1], "row_starts", napi_int32_array, "an Int32Array");
    const Fields fields(info[2], "options");
    const DecodeOptions options{fields.boolean("skip_special_tokens"), fields.boolean("clean_up_tokenization_spaces")};
    const size_t rows = row_starts.empty() ? 0 : row_starts.size() - 1;
    Napi::Array texts = Napi::Array::New(env, rows);
    for (size_t row = 0; row < rows; ++row) {
      const int32_t begin = row_starts[row], end = row_starts[row + 1];
      if (begin < 0 || end < begin || static_cast<size_t>(end) > ids.size()) {
        throw_expected("row_starts", "numbers that ascend within the " + std::to_string(ids.size()) + " ids");
      }
      const std::span<const int32_t> row_ids(ids.data() + begin, static_cast<size_t>(end - begin));
      const Napi::HandleScope scope(env);
      texts.Set(static_cast<uint32_t>(row), Napi::String::New(env, tokenizer->decode(row_ids, options)));
    }
    return texts;
  });
}

Napi::Value join_tokens(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    if (!info[0].IsArray()) throw_expected("tokens", "an array of strings");
    const auto array = info[0].As<Napi::Array>();
    std::vector<std::string> tokens;
    for (uint32_t i = 0; i < array.Length(); ++i) {
      const Napi::Value token = array.Get(i);
      if (!token.IsString()) throw_expected("tokens[" + std::to_string(i) + "]", "a string");
      tokens.push_back(token.As<Napi::String>().Utf8Value());
    }
    return Napi::String::New(env, tokenizer->join(std::move(tokens)));
  });
}

std::u16string read_text(const Napi::CallbackInfo& info) {
  if (!info[0].IsString()) throw_expected("text", "a string");
  return info[0].As<Napi::String>().Utf16Value();
}

Napi::Value to_string(Napi::Env env, std::u32string_view text) {
  return Napi::String::New(env, unicode::to_utf16(text));
}

Napi::Value normalize(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] { return to_string(env, tokenizer->general().normalize(read_text(info)).code_points); });
}

Napi::Value pre_tokenize(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const PreTokenizedText text = tokenizer->general().pre_tokenize(read_text(info));
    std::vector<Span> offsets;
    Napi::Array pieces = Napi::Array::New(env, text.pieces.size());
    for (size_t i = 0; i < text.pieces.size(); ++i) {
      const Napi::HandleScope scope(env);
      const Range piece = text.pieces[i];
      const std::u32string_view all = text.text.code_points;
      pieces.Set(static_cast<uint32_t>(i), to_string(env, all.substr(piece.begin, piece.end - piece.begin)));
      offsets.push_back({text.text.origins[piece.begin].start, text.text.origins[piece.end - 1].end});
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("pieces", pieces);
    result.Set("offsets", to_int32_array(env, offsets));
    return result;
  });
}

}  // namespace

Napi::Value create_tokenizer_model(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] { return to_handle(env, make_model(read_model_description(info[0]))); });
}

Napi::Value create_tokenizer_model_async(const Napi::CallbackInfo& info) {
  return promised(info.Env(), [&](Napi::Env env) {
    auto job = std::make_unique<CreateModelJob>(env, read_model_description(info[0]));
    return environment_data(env).jobs.submit(std::move(job), run_in_background);
  });
}

Napi::Value create_tokenizer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const SharedTokenizer tokenizer = std::make_shared<const Tokenizer>(read_description(info[0]));
    // The functions share the tokenizer and are all that holds it, so they work without their object, too.
    const auto method = [&](Napi::Value (*body)(const Napi::CallbackInfo&, const SharedTokenizer&), const char* name) {
      return Napi::Function::New(
          env, [body, tokenizer](const Napi::CallbackInfo& call) { return body(call, tokenizer); }, name);
    };
    Napi::Object handle = Napi::Object::New(env);
    handle.Set("encode", method(encode, "encode"));
    handle.Set("encode_async", method(encode_async, "encode_async"));
    handle.Set("decode", method(decode, "decode"));
    handle.Set("join_tokens", method(join_tokens, "join_tokens"));
    handle.Set("normalize", method(normalize, "normalize"));
    handle.Set("pre_tokenize", method(pre_tokenize, "pre_tokenize"));
    return handle;
  });
}

}  // namespace bert_native
