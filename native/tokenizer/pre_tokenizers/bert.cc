#include "tokenizer/pre_tokenizers/bert.h"

#include <string_view>
#include <utility>

namespace bert_native {

namespace {

// Whether another character than itself begins with `c` when it is decomposed canonically: U+1FEF, U+037E, U+226E,
// U+2260, U+226F.
bool is_decomposed_to(char c) { return std::string_view("`;<=>").find(c) != std::string_view::npos; }

}  // namespace

BertPreTokenizer::BertPreTokenizer(const BertNormalizerOptions& options, DoubleArrayTrie never_split)
    : normalizer_(options), never_split_(std::move(never_split)) {
  for (char32_t c = 0; c < ascii_.size(); ++c) {
    const uint16_t record = unicode::record(c);
    const BertNormalizer::Role role = normalizer_.role(record);
    AsciiEntry& entry = ascii_[c];
    if (role == BertNormalizer::Role::kDropped) {
      entry.role = AsciiRole::kDropped;
    } else if (role == BertNormalizer::Role::kSpace) {
      entry.role = AsciiRole::kSpace;
    } else if (normalizer_.is_punctuation(record)) {
      entry.role = AsciiRole::kPunctuation;
    }
    const bool lowers = options.lowercase && (record & unicode::kLowercases);
    entry.lowered = static_cast<char>(lowers ? unicode::lowercase_mapping(c).front() : c);
  }
  for (unsigned c = 0; c < never_split_starts_.size(); ++c) {
    if (never_split_.step(DoubleArrayTrie::kRoot, static_cast<unsigned char>(c)) == DoubleArrayTrie::kNone) continue;
    never_split_starts_.set(c);
    const bool is_punctuation = c < ascii_.size() && ascii_[c].role == AsciiRole::kPunctuation;
    cuts_at_punctuation_ = cuts_at_punctuation_ && is_punctuation && !is_decomposed_to(static_cast<char>(c));
  }
}

bool BertPreTokenizer::starts_word(std::u16string_view text, size_t i) const {
  while (i > 0) {
    const auto [c, length] = unicode::decode_utf16_before(text, i);
    const uint16_t record = unicode::record(c);
    const BertNormalizer::Role role = normalizer_.role(record);
    const bool is_stripped = normalizer_.options().strip_accents && normalizer_.is_nonspacing_mark(record);
    if (role != BertNormalizer::Role::kDropped && !is_stripped) return role != BertNormalizer::Role::kLetter;
    i -= length;
  }
  return true;
}

size_t BertPreTokenizer::skip_gap(std::u16string_view text, size_t i) const {
  while (i < text.size()) {
    const auto [c, length] = unicode::decode_utf16(text, i);
    const BertNormalizer::Role role = normalizer_.role(unicode::record(c));
    if (role != BertNormalizer::Role::kSpace && role != BertNormalizer::Role::kDropped) break;
    i += length;
  }
  return i;
}

BertPreTokenizer::UnsplitMatch BertPreTokenizer::match_never_split(std::u16string_view text, size_t begin,
                                                                   bool decompose) const {
  DoubleArrayTrie::Node node = DoubleArrayTrie::kRoot;
  const auto step = [&](char32_t c, uint16_t record) {
    if (decompose && normalizer_.is_nonspacing_mark(record)) return;
    char bytes[unicode::kMaxUtf8Bytes];
    const size_t size = unicode::encode_utf8(c, bytes);
    for (size_t i = 0; i < size && node != DoubleArrayTrie::kNone; ++i) {
      node = never_split_.step(node, static_cast<unsigned char>(bytes[i]));
    }
  };
  size_t i = begin;
  while (i < text.size()) {
    const auto [c, length] = unicode::decode_utf16(text, i);
    const uint16_t record = unicode::record(c);
    const BertNormalizer::Role role = normalizer_.role(record);
    if (role == BertNormalizer::Role::kSpace) break;
    if (role == BertNormalizer::Role::kIsolated && i != begin) break;
    if (role != BertNormalizer::Role::kDropped) normalizer_.map(c, record, decompose, step);
    if (node == DoubleArrayTrie::kNone) return {};
    i += length;
    if (role == BertNormalizer::Role::kIsolated) break;
  }
  return {i, never_split_.value(node), decompose};
}

void BertPreTokenizer::fill(std::u16string_view text, size_t begin, const UnsplitMatch& match, WordBuffer& word) const {
  for (size_t i = begin; i < match.end;) {
    const unicode::DecodedUnit decoded = unicode::decode_utf16(text, i);
    const uint16_t record = unicode::record(decoded.code_point);
    const Span origin = span_at(i, decoded.length);
    if (normalizer_.role(record) != BertNormalizer::Role::kDropped) {
      normalizer_.map(decoded.code_point, record, match.decomposed, [&](char32_t part, uint16_t part_record) {
        const bool dropped = match.decomposed && normalizer_.is_nonspacing_mark(part_record);
        if (!dropped) word.append(part, origin);
      });
    }
    i += decoded.length;
  }
}

}  // namespace bert_native
