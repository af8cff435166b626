#pragma once

#include <napi.h>

#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/values.h"

namespace bert_native {

// What every object with calls that can be aborted has, as lib/binding/native.ts says.
inline Napi::Value make_call_id(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(environment_data(info.Env()).jobs.new_call_id()));
}

inline Napi::Value abort_call(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    environment_data(info.Env()).jobs.abort(to_size(info[0], "call_id"));
    return info.Env().Undefined();
  });
}

}  // namespace bert_native
