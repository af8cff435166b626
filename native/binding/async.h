#pragma once

#include <napi.h>

#include <functional>

namespace bert_native {

// Runs `work` on a background thread of the library (never on libuv's), then `settle` on the JavaScript thread, whose
// value resolves the promise returned. A bert_native::Error or std::bad_alloc thrown by `work` rejects it.
//
// `work` must not touch JavaScript. A pending call keeps the process alive. When the environment is torn down, calls
// that wait are dropped and a running one is waited for.
Napi::Promise run_async(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> settle);

}  // namespace bert_native
