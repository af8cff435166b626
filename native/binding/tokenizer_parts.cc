#include "binding/tokenizer_parts.h"

#include <string>
#include <utility>
#include <vector>

#include "tokenizer/normalizers/bert.h"
#include "tokenizer/pattern.h"
#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

std::u32string read_code_points(const Fields& fields, const char* name) {
  const std::u16string units = fields.utf16(name);
  return to_normalized_text(units, 0, units.size()).code_points;
}

char32_t read_code_point(const Fields& fields, const char* name) {
  const std::u32string code_points = read_code_points(fields, name);
  if (code_points.size() != 1) throw_expected(fields.path(name), "one code point");
  return code_points[0];
}

size_t read_count(const Fields& fields, const char* name) { return static_cast<size_t>(fields.integer(name, 0)); }

// One of several names, each with what it stands for.
template <typename T>
T read_choice(const Fields& fields, const char* name, std::initializer_list<std::pair<const char*, T>> choices) {
  const std::string value = fields.utf8(name);
  std::string expected;
  for (const auto& [choice, meaning] : choices) {
    if (value == choice) return meaning;
    expected += (expected.empty() ? "'" : ", '") + std::string(choice) + "'";
  }
  throw_expected(fields.path(name), expected);
}

SplitBehavior read_behavior(const Fields& fields) {
  return read_choice<SplitBehavior>(fields, "behavior",
                                    {{"Removed", SplitBehavior::kRemoved},
                                     {"Isolated", SplitBehavior::kIsolated},
                                     {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
                                     {"MergedWithNext", SplitBehavior::kMergedWithNext},
                                     {"Contiguous", SplitBehavior::kContiguous}});
}

PrependScheme read_prepend_scheme(const Fields& fields) {
  return read_choice<PrependScheme>(
      fields, "prepend_scheme",
      {{"always", PrependScheme::kAlways}, {"never", PrependScheme::kNever}, {"first", PrependScheme::kFirst}});
}

PatternPointer read_pattern(const Fields& parent) {
  const Fields fields = parent.object("pattern");
  if (fields.utf8("type") == "String") {
    std::u32string literal = read_code_points(fields, "string");
    if (literal.empty()) throw_expected(fields.path("string"), "a string that is not empty");
    return make_literal_pattern(std::move(literal));
  }
  fields.require_type("Regex");
  return make_regex_pattern({fields.typed_array<int32_t>("code", napi_int32_array, "an Int32Array"),
                             fields.typed_array<uint32_t>("ranges", napi_uint32_array, "a Uint32Array"),
                             fields.utf8("source")});
}

// Sequences may hold sequences. lib/ refuses what is nested deeply before it comes here; this keeps the stack safe.
class Depth {
 public:
  explicit Depth(const Fields& fields) {
    if (++depth_ > kDeepest) {
      --depth_;
      throw_expected(fields.path("type"), "sequences nested at most " + std::to_string(kDeepest) + " deep");
    }
  }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  static constexpr int kDeepest = 64;
  static thread_local int depth_;
};

thread_local int Depth::depth_ = 0;

template <typename Part, typename Read>
std::vector<Part> read_sequence(const Fields& fields, const char* name, Read&& read) {
  std::vector<Part> parts;
  fields.each(name, [&](const Napi::Value& value, auto&& path) { parts.push_back(read(Fields(value, path()))); });
  return parts;
}

}  // namespace

BertNormalizerOptions read_bert_normalizer_options(const Fields& fields) {
  return {fields.boolean("clean_text"), fields.boolean("handle_chinese_chars"), fields.boolean("strip_accents"),
          fields.boolean("lowercase"),
          read_choice<BertCharacters>(fields, "characters",
                                      {{"python", BertCharacters::kPython}, {"rust", BertCharacters::kRust}})};
}

NormalizerPointer read_normalizer(const Fields& fields) {
  const Depth depth(fields);
  const std::string type = fields.utf8("type");
  if (type == "BertNormalizer") return make_bert_normalizer(read_bert_normalizer_options(fields));
  if (type == "NFC") return make_unicode_normalizer(UnicodeForm::kNfc);
  if (type == "NFD") return make_unicode_normalizer(UnicodeForm::kNfd);
  if (type == "NFKC") return make_unicode_normalizer(UnicodeForm::kNfkc);
  if (type == "NFKD") return make_unicode_normalizer(UnicodeForm::kNfkd);
  if (type == "Lowercase") return make_lowercase_normalizer();
  if (type == "StripAccents") return make_strip_accents_normalizer();
  if (type == "Nmt") return make_nmt_normalizer();
  if (type == "ByteLevel") return make_byte_level_normalizer();
  if (type == "Strip") return make_strip_normalizer(fields.boolean("strip_left"), fields.boolean("strip_right"));
  if (type == "Replace") return make_replace_normalizer(read_pattern(fields), read_code_points(fields, "content"));
  if (type == "Prepend") return make_prepend_normalizer(read_code_points(fields, "prepend"));
  if (type == "Precompiled") {
    const auto normalized = fields.typed_array<char>("normalized", napi_uint8_array, "a Uint8Array");
    return make_precompiled_normalizer(fields.typed_array<uint32_t>("trie", napi_uint32_array, "a Uint32Array"),
                                       std::string(normalized.begin(), normalized.end()));
  }
  if (type == "Sequence") {
    return make_normalizer_sequence(read_sequence<NormalizerPointer>(fields, "normalizers", read_normalizer));
  }
  throw_expected(fields.path("type"), "a normalizer, not '" + type + "'");
}

PreTokenizerPointer read_pre_tokenizer(const Fields& fields) {
  const Depth depth(fields);
  const std::string type = fields.utf8("type");
  if (type == "BertPreTokenizer") return make_bert_pre_tokenizer();
  if (type == "Whitespace") return make_whitespace_pre_tokenizer();
  if (type == "WhitespaceSplit") return make_whitespace_split_pre_tokenizer();
  if (type == "UnicodeScripts") return make_unicode_scripts_pre_tokenizer();
  if (type == "ByteLevel") {
    return make_byte_level_pre_tokenizer(fields.boolean("add_prefix_space"), fields.boolean("use_regex"));
  }
  if (type == "Metaspace") {
    return make_metaspace_pre_tokenizer(read_code_point(fields, "replacement"), read_prepend_scheme(fields),
                                        fields.boolean("split"));
  }
  if (type == "Punctuation") return make_punctuation_pre_tokenizer(read_behavior(fields));
  if (type == "Digits") return make_digits_pre_tokenizer(fields.boolean("individual_digits"));
  if (type == "Split") {
    return make_split_pre_tokenizer(read_pattern(fields), read_behavior(fields), fields.boolean("invert"));
  }
  if (type == "CharDelimiterSplit") return make_delimiter_pre_tokenizer(read_code_point(fields, "delimiter"));
  if (type == "Sequence") {
    return make_pre_tokenizer_sequence(read_sequence<PreTokenizerPointer>(fields, "pretokenizers", read_pre_tokenizer));
  }
  throw_expected(fields.path("type"), "a pre-tokenizer, not '" + type + "'");
}

DecoderPointer read_decoder(const Fields& fields) {
  const Depth depth(fields);
  const std::string type = fields.utf8("type");
  if (type == "WordPiece") return make_wordpiece_decoder(fields.utf8("prefix"), fields.boolean("cleanup"));
  if (type == "ByteLevel") return make_byte_level_decoder();
  if (type == "ByteFallback") return make_byte_fallback_decoder();
  if (type == "Fuse") return make_fuse_decoder();
  if (type == "Metaspace") {
    return make_metaspace_decoder(read_code_point(fields, "replacement"), read_prepend_scheme(fields));
  }
  if (type == "BPEDecoder") return make_bpe_decoder(fields.utf8("suffix"));
  if (type == "Strip") {
    return make_strip_decoder(read_code_point(fields, "content"), read_count(fields, "start"),
                              read_count(fields, "stop"));
  }
  if (type == "Replace") return make_replace_decoder(read_pattern(fields), fields.utf8("content"));
  if (type == "CTC") {
    return make_ctc_decoder(fields.utf8("pad_token"), fields.utf8("word_delimiter_token"), fields.boolean("cleanup"));
  }
  if (type == "Sequence") {
    return make_decoder_sequence(read_sequence<DecoderPointer>(fields, "decoders", read_decoder));
  }
  throw_expected(fields.path("type"), "a decoder, not '" + type + "'");
}

}  // namespace bert_native
