#pragma once

#include <napi.h>

namespace bert_native {

// As lib/binding/native.ts says.
Napi::Value open_onnxruntime_library(const Napi::CallbackInfo& info);
Napi::Value end_onnxruntime(const Napi::CallbackInfo& info);
Napi::Value onnxruntime_info(const Napi::CallbackInfo& info);
Napi::Value load_graph(const Napi::CallbackInfo& info);

// Makes the class behind NativeGraphEncoder known to this environment.
void define_graph_encoder_class(Napi::Env env);

}  // namespace bert_native
