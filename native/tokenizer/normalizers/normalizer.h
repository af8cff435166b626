#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/normalized_text.h"
#include "tokenizer/pattern.h"

namespace bert_native {

struct BertNormalizerOptions;

// One part of `normalizer` in tokenizer.json. What it makes of a text, origins included, is what the Rust library
// tokenizers makes of it. Immutable.
class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void normalize(NormalizedText& text) const = 0;

  // Whether what becomes of the text on one side of a single space has nothing to do with the other side, as long as
  // both begin there with a character that is no mark and does not become white space.
  virtual bool keeps_words_apart() const { return false; }
};

using NormalizerPointer = std::unique_ptr<const Normalizer>;

enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

NormalizerPointer make_unicode_normalizer(UnicodeForm form);
NormalizerPointer make_lowercase_normalizer();
NormalizerPointer make_strip_accents_normalizer();
// Takes white space away at the sides.
NormalizerPointer make_strip_normalizer(bool left, bool right);
NormalizerPointer make_replace_normalizer(PatternPointer pattern, std::u32string content);
NormalizerPointer make_prepend_normalizer(std::u32string prefix);
// A SentencePiece character map: `trie` is its double array, `normalized` the NUL-terminated replacements. Throws
// kOption for an empty trie and for replacements that are not UTF-8.
NormalizerPointer make_precompiled_normalizer(std::vector<uint32_t> trie, std::string normalized);
NormalizerPointer make_nmt_normalizer();
NormalizerPointer make_byte_level_normalizer();
NormalizerPointer make_bert_normalizer(const BertNormalizerOptions& options);
NormalizerPointer make_normalizer_sequence(std::vector<NormalizerPointer> normalizers);

}  // namespace bert_native
