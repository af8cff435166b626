#pragma once

#include <napi.h>

namespace bert_native {

// create_tokenizer(NativeTokenizerDescription): NativeTokenizer; see lib/binding/native.ts. Throws ERR_OPTION.
Napi::Value create_tokenizer(const Napi::CallbackInfo& info);

}  // namespace bert_native
