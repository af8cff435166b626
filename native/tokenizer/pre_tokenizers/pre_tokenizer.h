#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/normalized_text.h"
#include "tokenizer/pattern.h"

namespace bert_native {

// A text cut into pieces, each of which the model looks at alone. Pieces ascend, do not overlap and are not empty;
// between them may be what is dropped.
struct PreTokenizedText {
  NormalizedText text;
  std::vector<Range> pieces;
};

// One part of `pre_tokenizer` in tokenizer.json: cuts every piece further, and may change what is in it. Immutable.
class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void pre_tokenize(PreTokenizedText& text) const = 0;

  // Whether every single space between two characters that are no white space is a cut, and what becomes of one side
  // has nothing to do with the other.
  virtual bool cuts_at_spaces() const { return false; }
  // Whether what becomes of a piece depends on where it stands.
  virtual bool looks_at_position() const { return false; }
};

using PreTokenizerPointer = std::unique_ptr<const PreTokenizer>;

// What becomes of a match that cuts a piece.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

enum class PrependScheme { kAlways, kNever, kFirst };

PreTokenizerPointer make_bert_pre_tokenizer();
PreTokenizerPointer make_whitespace_pre_tokenizer();
PreTokenizerPointer make_whitespace_split_pre_tokenizer();
PreTokenizerPointer make_byte_level_pre_tokenizer(bool add_prefix_space, bool use_regex);
PreTokenizerPointer make_metaspace_pre_tokenizer(char32_t replacement, PrependScheme scheme, bool split);
PreTokenizerPointer make_punctuation_pre_tokenizer(SplitBehavior behavior);
PreTokenizerPointer make_digits_pre_tokenizer(bool individual_digits);
PreTokenizerPointer make_split_pre_tokenizer(PatternPointer pattern, SplitBehavior behavior, bool invert);
PreTokenizerPointer make_delimiter_pre_tokenizer(char32_t delimiter);
PreTokenizerPointer make_unicode_scripts_pre_tokenizer();
PreTokenizerPointer make_pre_tokenizer_sequence(std::vector<PreTokenizerPointer> pre_tokenizers);

}  // namespace bert_native
