#pragma once

#include <napi.h>

#include <cstddef>
#include <string>

#include "common/errors.h"

namespace bert_native {

// A typed array of zeros whose memory V8 allocates: legal under its sandbox, and can be transferred.
//
// It is made by the JavaScript constructor, which throws where there is no memory; N-API's own functions end the
// process then. Throws kMemory.
template <typename Array>
Array make_typed_array(Napi::Env env, const char* constructor, size_t size) {
  try {
    const Napi::Function make = env.Global().Get(constructor).template As<Napi::Function>();
    const Napi::Value array = make.New({Napi::Number::New(env, static_cast<double>(size))});
    if (!array.IsTypedArray() || array.As<Napi::TypedArray>().ElementLength() != size) {
      throw Error(ErrorCode::kMemory, std::string(constructor) + " is not the one that the language defines");
    }
    return array.As<Array>();
  } catch (const Napi::Error& error) {
    throw Error(ErrorCode::kMemory, "could not allocate a " + std::string(constructor) + " of " + std::to_string(size) +
                                        " elements: " + error.Message());
  }
}

}  // namespace bert_native
