#pragma once

#include <napi.h>

namespace bert_native {

// create_tokenizer_model(NativeTokenizerModelDescription): NativeTokenizerModel, and a promise of it. Throws
// ERR_FILE_FORMAT, ERR_OPTION.
Napi::Value create_tokenizer_model(const Napi::CallbackInfo& info);
Napi::Value create_tokenizer_model_async(const Napi::CallbackInfo& info);

// create_tokenizer(NativeTokenizerDescription): NativeTokenizer; see lib/binding/native.ts. Throws ERR_OPTION.
Napi::Value create_tokenizer(const Napi::CallbackInfo& info);

}  // namespace bert_native
