#pragma once

#include <napi.h>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

#include "binding/arrays.h"
#include "binding/values.h"
#include "common/errors.h"

namespace bert_native {

// Float32Arrays whose memory V8 allocated, or the caller's own, collected under their names in one object that keeps
// them alive.
class Outputs {
 public:
  // out: the caller's arrays by name, over shared memory, or null.
  Outputs(Napi::Env env, const Napi::Value& out) : env_(env), object_(Napi::Object::New(env)), out_(out) {}

  float* add(const char* name, size_t size) { return add_to(object_, name, size); }

  // Arrays of these sizes.
  std::vector<float*> add_list(const char* name, const std::vector<size_t>& sizes) {
    const Napi::Array list = Napi::Array::New(env_, sizes.size());
    std::vector<float*> pointers;
    for (size_t i = 0; i < sizes.size(); i++) {
      Napi::Float32Array array = allocate(sizes[i]);
      list.Set(static_cast<uint32_t>(i), array);
      pointers.push_back(array.Data());
    }
    object_.Set(name, list);
    return pointers;
  }

  // An object among the outputs, for add_to().
  Napi::Object add_object(const char* name) {
    const Napi::Object object = Napi::Object::New(env_);
    object_.Set(name, object);
    return object;
  }

  float* add_to(Napi::Object object, const std::string& name, size_t size) {
    Napi::Float32Array array = own(name, size);
    object.Set(name, array);
    return array.Data();
  }

  Napi::ObjectReference hold() const { return Napi::Persistent(object_); }

 private:
  Napi::Float32Array own(const std::string& name, size_t size) {
    const Napi::Value given = out_.IsObject() ? out_.As<Napi::Object>().Get(name) : env_.Null();
    if (!given.IsTypedArray()) return allocate(size);
    const auto array = given.As<Napi::TypedArray>();
    if (array.TypedArrayType() != napi_float32_array || array.ElementLength() != size) {
      throw_expected("out." + name, "a Float32Array of " + std::to_string(size) + " elements");
    }
    return given.As<Napi::Float32Array>();
  }

  Napi::Float32Array allocate(size_t size) { return make_typed_array<Napi::Float32Array>(env_, "Float32Array", size); }

  Napi::Env env_;
  Napi::Object object_;
  Napi::Value out_;
};

// The elements of an output of these dimensions. Throws kMemory for more than any typed array may have.
inline size_t output_size(std::initializer_list<size_t> dimensions) {
  // Above this no typed array can be made anyway; below it nothing that is computed from a size overflows.
  constexpr size_t kLimit = size_t{1} << 40;
  size_t result = 1;
  for (const size_t size : dimensions) {
    if (size != 0 && result > kLimit / size) throw Error(ErrorCode::kMemory, "the request's outputs are too large");
    result *= size;
  }
  return result;
}

}  // namespace bert_native
