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
#include "binding/texts.h"
#include "binding/token_rows.h"
#include "binding/tokenizer_parts.h"
#include "binding/values.h"
#include "cpu/background.h"
#include "encoder/compute_limits.h"
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

// Strings as the caller gave them: checking a large vocabulary takes its time, which is for the thread that builds it.
struct UncheckedStrings {
  std::vector<char> bytes;
  std::vector<uint32_t> starts;

  FlatStrings check() && { return FlatStrings(std::string(bytes.begin(), bytes.end()), std::move(starts)); }
};

UncheckedStrings read_flat_strings(const Fields& fields) {
  return {fields.typed_array<char>("bytes", napi_uint8_array, "a Uint8Array"),
          fields.typed_array<uint32_t>("starts", napi_uint32_array, "a Uint32Array")};
}

std::optional<int32_t> read_unk_id(const Fields& fields) {
  return fields.is_null("unk_id") ? std::nullopt : std::optional(fields.integer("unk_id", 0));
}

// Everything that a model is made of, as plain data.
struct ModelDescription {
  UncheckedStrings vocabulary;
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
    const auto merges = std::make_shared<UncheckedStrings>(read_flat_strings(fields.object("merges")));
    const BpeOptions options{
        read_unk_id(fields),        fields.utf8("continuing_subword_prefix"), fields.utf8("end_of_word_suffix"),
        fields.boolean("fuse_unk"), fields.boolean("byte_fallback"),          fields.boolean("ignore_merges")};
    return [merges, options](const FlatStrings& vocabulary) {
      return make_bpe_model(vocabulary, std::move(*merges).check(), options);
    };
  }
  if (type == "Unigram") {
    const auto scores = std::make_shared<std::vector<double>>(
        fields.typed_array<double>("scores", napi_float64_array, "a Float64Array"));
    const UnigramOptions options{read_unk_id(fields), fields.boolean("byte_fallback")};
    return [scores, options](const FlatStrings& vocabulary) {
      return make_unigram_model(vocabulary, std::move(*scores), options);
    };
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
  return std::make_shared<const TokenizerModel>(std::move(description.vocabulary).check(), description.make);
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

SampleReader read_samples(const Napi::Value& value) {
  const Fields fields(value, "input");
  const auto side = [&](const char* name) {
    const Fields texts = fields.object(name);
    return TextReader(texts.value("texts"), texts.value("word_starts"), texts.path(""));
  };
  return SampleReader(side("first"), fields.is_null("second") ? std::nullopt : std::optional(side("second")));
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

template <typename T>
Napi::Value to_int32_array(Napi::Env env, const std::vector<T>& values) {
  static_assert(sizeof(T) % sizeof(int32_t) == 0);
  auto array = make_typed_array<Napi::Int32Array>(env, "Int32Array", values.size() * sizeof(T) / sizeof(int32_t));
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

// One kind of information of all parts, back to back.
template <typename Array, typename T>
Napi::Value joined(Napi::Env env, const char* constructor, const std::vector<Encoding>& parts,
                   std::vector<T> Encoding::*values) {
  using Element = std::remove_pointer_t<decltype(std::declval<Array>().Data())>;
  static_assert(sizeof(T) % sizeof(Element) == 0);
  size_t size = 0;
  for (const Encoding& part : parts) size += (part.*values).size();
  Array array = make_typed_array<Array>(env, constructor, size * (sizeof(T) / sizeof(Element)));
  Element* to = array.Data();
  for (const Encoding& part : parts) {
    const std::vector<T>& from = part.*values;
    if (!from.empty()) std::memcpy(to, from.data(), from.size() * sizeof(T));
    to += from.size() * (sizeof(T) / sizeof(Element));
  }
  return array;
}

template <typename T>
Napi::Value joined_int32(Napi::Env env, const std::vector<Encoding>& parts, std::vector<T> Encoding::*values) {
  return joined<Napi::Int32Array>(env, "Int32Array", parts, values);
}

Napi::Value joined_row_starts(Napi::Env env, const std::vector<Encoding>& parts) {
  size_t rows = 0;
  for (const Encoding& part : parts) rows += part.row_starts.size() - 1;
  auto array = make_typed_array<Napi::Int32Array>(env, "Int32Array", rows + 1);
  join_row_starts(parts, array.Data());
  return array;
}

Napi::Value to_object(Napi::Env env, const std::vector<Encoding>& parts, const EncodeOptions& options) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("row_starts", joined_row_starts(env, parts));
  result.Set("ids", joined_int32(env, parts, &Encoding::ids));
  result.Set("sample_of_row", joined_int32(env, parts, &Encoding::sample_of_row));
  result.Set("type_ids", joined<Napi::Uint8Array>(env, "Uint8Array", parts, &Encoding::type_ids));
  result.Set("sequence_ids", joined<Napi::Int8Array>(env, "Int8Array", parts, &Encoding::sequence_ids));
  result.Set("offsets", options.return_offsets ? joined_int32(env, parts, &Encoding::offsets) : env.Null());
  result.Set("word_ids", options.return_word_ids ? joined_int32(env, parts, &Encoding::word_ids) : env.Null());
  return result;
}

Napi::Value to_packed_object(Napi::Env env, const std::vector<Encoding>& parts, const EncodeOptions& options) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("row_starts", joined_row_starts(env, parts));
  result.Set("ids", joined_int32(env, parts, &Encoding::ids));
  result.Set("type_ids", options.return_type_ids
                             ? joined<Napi::Uint8Array>(env, "Uint8Array", parts, &Encoding::type_ids)
                             : env.Null());
  return result;
}

using ToObject = Napi::Value (*)(Napi::Env, const std::vector<Encoding>&, const EncodeOptions&);

// What comes after the first part goes to several threads, if there are any; else part by part through the same memory.
std::vector<Encoding> encode_now(const Tokenizer& tokenizer, SampleReader& samples, const EncodeOptions& options) {
  std::vector<Encoding> encodings;
  EncodeInput part;
  samples.read_part(part);
  encodings.push_back(tokenizer.encode(part, options));
  if (samples.is_done()) return encodings;
  const size_t threads = ComputeLimits::instance().thread_count();
  if (threads == 1) {
    for (; !samples.is_done(); encodings.push_back(tokenizer.encode(part, options))) samples.read_part(part);
    return encodings;
  }
  part = {};
  with_shared_threads(threads, [&](ThreadPool* pool) {
    for (Encoding& rest : tokenizer.encode(samples.read_rest(), options, pool)) encodings.push_back(std::move(rest));
  });
  return encodings;
}

class EncodeJobBase : public ThreadJob {
 public:
  EncodeJobBase(Napi::Env env, SharedTokenizer tokenizer, std::vector<EncodeInput> parts, EncodeOptions options)
      : ThreadJob(env), tokenizer_(std::move(tokenizer)), parts_(std::move(parts)), options_(options) {}

  void run(ThreadPool&) override {
    const size_t threads = parts_.size() > 1 ? ComputeLimits::instance().thread_count() : 1;
    const auto encode = [&](ThreadPool* pool) { encodings_ = tokenizer_->encode(std::move(parts_), options_, pool); };
    if (threads == 1) {
      encode(nullptr);
    } else {
      with_shared_threads(threads, encode);
    }
  }

 protected:
  const EncodeOptions& options() const { return options_; }
  std::vector<Encoding>& encodings() { return encodings_; }

 private:
  SharedTokenizer tokenizer_;
  std::vector<EncodeInput> parts_;
  EncodeOptions options_;
  std::vector<Encoding> encodings_;
};

// To arrays.
class EncodeJob : public EncodeJobBase {
 public:
  EncodeJob(Napi::Env env, SharedTokenizer tokenizer, std::vector<EncodeInput> parts, EncodeOptions options,
            ToObject to_result)
      : EncodeJobBase(env, std::move(tokenizer), std::move(parts), options), to_result_(to_result) {}

  Napi::Value result(Napi::Env env) override { return to_result_(env, encodings(), options()); }

 private:
  ToObject to_result_;
};

// To rows that stay where they are.
class EncodeRowsJob : public EncodeJobBase {
 public:
  using EncodeJobBase::EncodeJobBase;

  void run(ThreadPool& pool) override {
    EncodeJobBase::run(pool);
    rows_ = std::make_shared<const TokenRows>(std::move(encodings()));
  }
  Napi::Value result(Napi::Env env) override { return to_handle(env, rows_); }

 private:
  SharedTokenRows rows_;
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

Napi::Value encode(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    SampleReader samples = read_samples(info[0]);
    const EncodeOptions options = read_encode_options(info[1]);
    return to_object(env, encode_now(*tokenizer, samples, options), options);
  });
}

Napi::Value submit_encoding(Napi::Env env, const SharedTokenizer& tokenizer, SampleReader samples,
                            const EncodeOptions& options, ToObject to_result) {
  auto job = std::make_unique<EncodeJob>(env, tokenizer, samples.read_rest(), options, to_result);
  return environment_data(env).jobs.submit(std::move(job), run_in_background);
}

Napi::Value encode_async(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  return promised(info.Env(), [&](Napi::Env env) {
    return submit_encoding(env, tokenizer, read_samples(info[0]), read_encode_options(info[1]), to_object);
  });
}

// (first, second, add_special_tokens, truncation, max_length, truncate_left, return_type_ids): one by one, since
// looking up fields takes longer than tokenizing a short text.
struct PackedCall {
  explicit PackedCall(const Napi::CallbackInfo& info)
      : samples(TextReader(info[0], info.Env().Null(), ""), read_second(info)) {
    options.add_special_tokens = info[2].ToBoolean();
    options.truncation = read_truncation(info[3]);
    if (options.truncation != Truncation::kNone) options.max_length = to_size(info[4], "max_length");
    options.truncation_side = info[5].ToBoolean() ? Side::kLeft : Side::kRight;
    options.return_type_ids = info[6].ToBoolean();
    options.return_sequence_ids = false;
  }

  SampleReader samples;
  EncodeOptions options;

 private:
  static std::optional<TextReader> read_second(const Napi::CallbackInfo& info) {
    if (info[1].IsNull()) return std::nullopt;
    return TextReader(info[1], info.Env().Null(), "pair ");
  }

  static Truncation read_truncation(const Napi::Value& value) {
    const size_t index = to_size(value, "truncation");
    if (index > static_cast<size_t>(Truncation::kOnlySecond)) throw_expected("truncation", "a number from 0 to 3");
    return static_cast<Truncation>(index);
  }
};

Napi::Value encode_packed(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  const Napi::Env env = info.Env();
  return guarded(env, [&] {
    PackedCall call(info);
    return to_packed_object(env, encode_now(*tokenizer, call.samples, call.options), call.options);
  });
}

Napi::Value encode_packed_async(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  return promised(info.Env(), [&](Napi::Env env) {
    PackedCall call(info);
    return submit_encoding(env, tokenizer, std::move(call.samples), call.options, to_packed_object);
  });
}

Napi::Value encode_rows_async(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  return promised(info.Env(), [&](Napi::Env env) {
    PackedCall call(info);
    call.options.return_truncated = true;
    auto job = std::make_unique<EncodeRowsJob>(env, tokenizer, call.samples.read_rest(), call.options);
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
    handle.Set("encode_packed", method(encode_packed, "encode_packed"));
    handle.Set("encode_packed_async", method(encode_packed_async, "encode_packed_async"));
    handle.Set("encode_rows_async", method(encode_rows_async, "encode_rows_async"));
    handle.Set("decode", method(decode, "decode"));
    handle.Set("join_tokens", method(join_tokens, "join_tokens"));
    handle.Set("normalize", method(normalize, "normalize"));
    handle.Set("pre_tokenize", method(pre_tokenize, "pre_tokenize"));
    return handle;
  });
}

}  // namespace bert_native
