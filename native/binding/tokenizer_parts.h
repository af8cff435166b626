#pragma once

#include <napi.h>

#include "binding/values.h"
#include "tokenizer/decoders/decoder.h"
#include "tokenizer/normalizers/normalizer.h"
#include "tokenizer/pre_tokenizers/pre_tokenizer.h"

namespace bert_native {

// The parts of tokenizer.json as lib/binding/native.ts describes them. All throw kOption for a description that is not
// one, naming the field.

struct BertNormalizerOptions;

NormalizerPointer read_normalizer(const Fields& fields);
PreTokenizerPointer read_pre_tokenizer(const Fields& fields);
DecoderPointer read_decoder(const Fields& fields);
BertNormalizerOptions read_bert_normalizer_options(const Fields& fields);

}  // namespace bert_native
