#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fuzz/fuzz_input.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/pattern.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"
#include "tokenizer/tokenizer_model.h"

// Parts of a tokenizer, each as the input says. All may throw Error, for what does not hold together.

namespace bert_native::fuzz {

// Instructions whose operands are right most of the time: they would seldom come through the check otherwise.
RegexProgram make_program(FuzzInput& input);
PatternPointer make_pattern(FuzzInput& input);
NormalizerPointer make_normalizer(FuzzInput& input, int depth = 0);
PreTokenizerPointer make_pre_tokenizer(FuzzInput& input, int depth = 0);
DecoderPointer make_decoder(FuzzInput& input, int depth = 0);
std::shared_ptr<const TokenizerModel> make_model(FuzzInput& input);
std::vector<AddedToken> make_added_tokens(FuzzInput& input, size_t vocabulary_size);

}  // namespace bert_native::fuzz
