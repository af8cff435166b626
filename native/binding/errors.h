#pragma once

#include <napi.h>

#include <new>
#include <string>

#include "common/errors.h"

namespace bert_native {

// What the addon keeps per JavaScript environment (the main thread and each worker have their own).
struct EnvironmentData {
  Napi::FunctionReference error_class;  // BertNativeError, handed over by lib/binding/load.ts
};

inline EnvironmentData& environment_data(Napi::Env env) {
  auto* data = env.GetInstanceData<EnvironmentData>();
  if (data == nullptr) {
    data = new EnvironmentData();
    env.SetInstanceData(data);
  }
  return *data;
}

// set_error_class(constructor): the class of every error thrown or rejected with from here on; called as
// new constructor(code, message).
inline Napi::Value set_error_class(const Napi::CallbackInfo& info) {
  environment_data(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

inline Napi::Value make_error(Napi::Env env, const char* code, const std::string& message) {
  const EnvironmentData& data = environment_data(env);
  if (data.error_class.IsEmpty()) return Napi::Error::New(env, message).Value();
  return data.error_class.New({Napi::String::New(env, code), Napi::String::New(env, message)});
}

// Runs `body` and turns the native exceptions into JavaScript ones; every exported function goes through it.
template <typename Body>
Napi::Value guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw Napi::Error(env, make_error(env, error_code_name(error.code()), error.what()));
  } catch (const std::bad_alloc&) {
    throw Napi::Error(env, make_error(env, "ERR_MEMORY", "out of memory"));
  }
}

}  // namespace bert_native
