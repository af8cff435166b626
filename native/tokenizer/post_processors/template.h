#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokenizer/encoding.h"
#include "tokenizer/post_processors/truncation.h"

namespace bert_native {

struct TemplatePiece {
  enum class Kind { kSpecial, kFirst, kSecond };
  Kind kind = Kind::kSpecial;
  int32_t special_id = 0;  // of a kSpecial piece
  uint8_t type_id = 0;
};

// Tokens [range) of a text; run null: there is no such text.
struct RunSlice {
  const TokenRun* run = nullptr;
  Range range;
};

struct TemplateOptions {
  // As in the Rust library: type ids follow the templates without special tokens, too, and an odd token of a truncated
  // pair goes to the longer text. Else as in the slow Python tokenizer: type ids are 0 then, and it goes to the first.
  bool always_type_ids = false;
  bool trims_offsets = false;      // by the margins of the runs
  bool adds_prefix_space = false;  // which offsets that are trimmed have to know
};

// Puts special tokens around one text or a pair: what all post-processors in tokenizer.json come down to.
class TemplateProcessor {
 public:
  // `single` has the first text once, `pair` both texts once each; special ids are not negative. Else kOption.
  TemplateProcessor(std::vector<TemplatePiece> single, std::vector<TemplatePiece> pair, TemplateOptions options = {});

  size_t special_count(bool is_pair) const;
  const std::vector<TemplatePiece>& pieces(bool is_pair) const { return is_pair ? pair_ : single_; }
  bool trims_offsets() const { return options_.trims_offsets; }
  OddToken odd_token() const { return options_.always_type_ids ? OddToken::kToLonger : OddToken::kToFirst; }

  // Appends one row of `sample`. Throws kMemory when the encoding outgrows 32-bit row starts.
  void append_row(RunSlice first, RunSlice second, const EncodeOptions& options, int32_t sample,
                  Encoding& encoding) const;

 private:
  void append_text(const RunSlice& slice, uint8_t type_id, int8_t sequence_id, const EncodeOptions& options,
                   Encoding& encoding) const;

  std::vector<TemplatePiece> single_, pair_;
  TemplateOptions options_;
};

}  // namespace bert_native
