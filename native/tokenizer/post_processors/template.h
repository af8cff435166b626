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

// Puts special tokens around one text or a pair: TemplateProcessing in tokenizer.json.
class TemplateProcessor {
 public:
  // `single` has the first text once, `pair` both texts once each; special ids are not negative. Else kOption.
  TemplateProcessor(std::vector<TemplatePiece> single, std::vector<TemplatePiece> pair);

  size_t special_count(bool is_pair) const;
  const std::vector<TemplatePiece>& pieces(bool is_pair) const { return is_pair ? pair_ : single_; }

  // Appends one row of `sample`. Without special tokens every type id is 0, as in the Python tokenizer. Throws kMemory
  // when the encoding outgrows 32-bit row starts.
  void append_row(RunSlice first, RunSlice second, const EncodeOptions& options, int32_t sample,
                  Encoding& encoding) const;

 private:
  std::vector<TemplatePiece> single_, pair_;
};

}  // namespace bert_native
