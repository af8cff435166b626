#pragma once

#include <napi.h>

#include <exception>
#include <new>
#include <string>

#include "binding/environment.h"
#include "common/errors.h"

namespace bert_native {

// set_error_class(errorClass): the class of every error thrown or rejected with from here on; called as
// new errorClass(code, message).
inline Napi::Value set_error_class(const Napi::CallbackInfo& info) {
  environment_data(info.Env()).error_class = Napi::Persistent(info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

inline Napi::Error make_error(Napi::Env env, const char* code, const std::string& message) {
  const EnvironmentData& data = environment_data(env);
  if (data.error_class.IsEmpty()) return Napi::Error::New(env, message);
  return Napi::Error(env, data.error_class.New({Napi::String::New(env, code), Napi::String::New(env, message)}));
}

// Runs `body` and turns native exceptions into JavaScript ones: whatever may throw a native one goes through it.
template <typename Body>
Napi::Value guarded(Napi::Env env, Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    throw make_error(env, error_code_name(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    throw make_error(env, "ERR_MEMORY", "out of memory");
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw make_error(env, "ERR_ADDON", std::string("the addon failed unexpectedly: ") + error.what());
  }
}

}  // namespace bert_native
