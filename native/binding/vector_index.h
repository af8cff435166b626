#pragma once

#include <napi.h>

namespace bert_native {

// create_vector_index(vectors, dimensions, score): NativeVectorIndex of lib/binding/native.ts.
Napi::Value create_vector_index(const Napi::CallbackInfo& info);

// Makes the class behind NativeVectorIndex known to this environment.
void define_vector_index_class(Napi::Env env);

}  // namespace bert_native
