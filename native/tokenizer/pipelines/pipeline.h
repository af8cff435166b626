#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "tokenizer/encoding.h"

namespace bert_native {

// A part of a text that no added token was found in: text[begin, end). Spans count from the start of `text`.
struct TextPart {
  std::u16string_view text;
  size_t begin = 0;
  size_t end = 0;
};

// What the caller wants of the tokens.
struct RunOptions {
  bool offsets = false;
  bool word_ids = false;
  // Tokens that are wanted at most; a pipeline may stop at the end of the word that reaches it.
  size_t limit = 0;
};

// From raw text to the model's tokens: normalisation, cutting, and the model. Immutable; a thread writes to its Scratch
// alone, which it may keep from call to call.
class Pipeline {
 public:
  class Scratch {
   public:
    virtual ~Scratch() = default;
  };

  virtual ~Pipeline() = default;
  virtual std::unique_ptr<Scratch> make_scratch() const = 0;

  // Appends the part's tokens to `run`, until it has options.limit of them; words are numbered from `first_word`.
  // Returns the number of words.
  virtual int32_t tokenize(const TextPart& part, const RunOptions& options, int32_t first_word, Scratch& scratch,
                           TokenRun& run) const = 0;
};

}  // namespace bert_native
