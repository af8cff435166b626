#pragma once

#include <napi.h>

namespace bert_native {

// create_wordpiece_trainer(NativeTrainerOptions): NativeWordPieceTrainer; see lib/binding/native.ts. Throws ERR_OPTION.
Napi::Value create_wordpiece_trainer(const Napi::CallbackInfo& info);

}  // namespace bert_native
