#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tokenizer/normalizers/bert.h"
#include "tokenizer/pipelines/pipeline.h"
#include "tokenizer/tokenizer_model.h"

namespace bert_native {

// BertNormalizer, BertPreTokenizer and WordPiece in one pass over the text. `never_split`: words as they stand between
// white space after cleaning and lower-casing; they keep their accents and their punctuation and are looked up whole.
std::unique_ptr<const Pipeline> make_bert_pipeline(std::shared_ptr<const TokenizerModel> model,
                                                   const BertNormalizerOptions& options,
                                                   const std::vector<std::u16string>& never_split);

}  // namespace bert_native
