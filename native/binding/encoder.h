#pragma once

#include <napi.h>

namespace bert_native {

// load_encoder(specification, parameters): Promise<NativeEncoder>, as lib/binding/native.ts says.
Napi::Value load_encoder(const Napi::CallbackInfo& info);

// Makes the class behind NativeEncoder known to this environment.
void define_encoder_class(Napi::Env env);

}  // namespace bert_native
