#include "binding/tokenizer.h"

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding/arrays.h"
#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/jobs.h"
#include "binding/values.h"
#include "cpu/background.h"
#include "tokenizer/pipelines/bert.h"
#include "tokenizer/tokenizer.h"

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

FlatStrings read_vocabulary(const Fields& fields) {
  const std::vector<char> bytes = fields.typed_array<char>("bytes", napi_uint8_array, "a Uint8Array");
  return FlatStrings(std::string(bytes.begin(), bytes.end()),
                     fields.typed_array<uint32_t>("starts", napi_uint32_array, "a Uint32Array"));
}

std::vector<AddedToken> read_added_tokens(const Fields& description) {
  std::vector<AddedToken> tokens;
  description.each("added_tokens", [&](const Napi::Value& value, auto&& path) {
    const Fields fields(value, path());
    tokens.push_back({fields.utf16("content"), fields.integer("id", 0), fields.boolean("special"),
                      fields.boolean("lstrip"), fields.boolean("rstrip"), fields.boolean("single_word")});
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

std::vector<std::u16string> read_strings(const Fields& fields, const char* name) {
  std::vector<std::u16string> strings;
  fields.each(name, [&](const Napi::Value& value, auto&& path) {
    if (!value.IsString()) throw_expected(path(), "a string");
    strings.push_back(value.As<Napi::String>().Utf16Value());
  });
  return strings;
}

TokenizerParts read_description(const Napi::Value& value) {
  const Fields fields(value, "description");
  const Fields normalizer = fields.object("normalizer");
  const Fields pre_tokenizer = fields.object("pre_tokenizer");
  const Fields model = fields.object("model");
  const Fields post_processor = fields.object("post_processor");
  const Fields decoder = fields.object("decoder");
  normalizer.require_type("bert");
  pre_tokenizer.require_type("bert");
  model.require_type("wordpiece");
  post_processor.require_type("template");
  decoder.require_type("wordpiece");
  const WordPieceOptions model_options{model.integer("unk_id", 0), model.utf8("continuing_subword_prefix"),
                                       static_cast<size_t>(model.integer("max_input_chars_per_word", 0))};
  const BertNormalizerOptions normalizer_options{normalizer.boolean("clean_text"),
                                                 normalizer.boolean("handle_chinese_chars"),
                                                 normalizer.boolean("strip_accents"), normalizer.boolean("lowercase")};
  auto shared_model =
      std::make_shared<const TokenizerModel>(read_vocabulary(fields.object("vocabulary")), model_options);
  auto pipeline = make_bert_pipeline(shared_model, normalizer_options, read_strings(pre_tokenizer, "never_split"));
  return {std::move(shared_model), read_added_tokens(fields), std::move(pipeline),
          TemplateProcessor(read_template(post_processor, "single"), read_template(post_processor, "pair")),
          WordPieceDecoder(decoder.utf8("prefix"))};
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

Napi::Value encode_async(const Napi::CallbackInfo& info, const SharedTokenizer& tokenizer) {
  const Napi::Env env = info.Env();
  try {
    return guarded(env, [&]() -> Napi::Value {
      auto job = std::make_unique<EncodeJob>(env, tokenizer, read_input(info[0]), read_encode_options(info[1]));
      return environment_data(env).jobs.submit(std::move(job), run_in_background);
    });
  } catch (const Napi::Error& error) {
    const Napi::Promise::Deferred refused = Napi::Promise::Deferred::New(env);
    refused.Reject(error.Value());
    return refused.Promise();
  }
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

}  // namespace

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
    return handle;
  });
}

}  // namespace bert_native
