#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"

namespace bert_native {

// Reading fields of the objects that lib/ hands over. lib/ has checked them for its users; these checks keep the native
// side safe whatever arrives, with one sentence: "<path>: expected <what>".

[[noreturn]] inline void throw_expected(const std::string& path, const std::string& expected) {
  throw Error(ErrorCode::kOption, path + ": expected " + expected);
}

inline uint64_t to_size(const Napi::Value& value, const std::string& field) {
  constexpr double kMaxSafeInteger = 9007199254740991.0;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1.0;
  if (!(number >= 0 && number <= kMaxSafeInteger && number == std::floor(number))) {
    throw_expected(field, "a whole number, not negative");
  }
  return static_cast<uint64_t>(number);
}

// An object whose fields are read with checks. `path` names it in messages, as in "input.first"; it may be empty.
class Fields {
 public:
  Fields(const Napi::Value& value, std::string path) : path_(std::move(path)) {
    if (!value.IsObject()) throw_expected(path_, "an object");
    object_ = value.As<Napi::Object>();
  }

  bool is_null(const char* name) const {
    const Napi::Value value = get(name);
    return value.IsNull() || value.IsUndefined();
  }

  bool boolean(const char* name) const {
    const Napi::Value value = get(name);
    if (!value.IsBoolean()) throw_expected(path(name), "true or false");
    return value.As<Napi::Boolean>().Value();
  }

  int32_t integer(const char* name, int32_t smallest, int32_t largest = std::numeric_limits<int32_t>::max()) const {
    const Napi::Value value = get(name);
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
    if (!(number >= smallest && number <= largest) || number != std::trunc(number)) {
      throw_expected(path(name), "an integer from " + std::to_string(smallest) + " to " + std::to_string(largest));
    }
    return static_cast<int32_t>(number);
  }

  double number(const char* name) const {
    const Napi::Value value = get(name);
    if (!value.IsNumber()) throw_expected(path(name), "a number");
    return value.As<Napi::Number>().DoubleValue();
  }

  // A whole number, not negative.
  uint64_t size(const char* name) const { return to_size(get(name), path(name)); }

  Napi::String string(const char* name) const {
    const Napi::Value value = get(name);
    if (!value.IsString()) throw_expected(path(name), "a string");
    return value.As<Napi::String>();
  }

  std::u16string utf16(const char* name) const { return string(name).Utf16Value(); }

  // A lone surrogate becomes U+FFFD.
  std::string utf8(const char* name) const { return string(name).Utf8Value(); }

  Fields object(const char* name) const { return Fields(get(name), path(name)); }

  // Of a part of which only one type is known here.
  void require_type(const char* type) const {
    if (utf8("type") != type) throw_expected(path("type"), std::string("'") + type + "'");
  }

  Napi::Array array(const char* name) const {
    const Napi::Value value = get(name);
    if (!value.IsArray()) throw_expected(path(name), "an array");
    return value.As<Napi::Array>();
  }

  // Calls visit(element, path) for each element of an array; path() is its name in messages.
  template <typename Visit>
  void each(const char* name, Visit&& visit) const {
    const Napi::Array elements = array(name);
    const uint32_t length = elements.Length();
    for (uint32_t i = 0; i < length; ++i) {
      const Napi::HandleScope scope(elements.Env());
      visit(elements.Get(i), [&] { return path(name) + "[" + std::to_string(i) + "]"; });
    }
  }

  // A copy of a typed array's elements: what JavaScript does to it afterwards does not matter.
  template <typename T>
  std::vector<T> typed_array(const char* name, napi_typedarray_type type, const char* expected) const {
    return read_typed_array<T>(get(name), path(name), type, expected);
  }

  template <typename T>
  static std::vector<T> read_typed_array(const Napi::Value& value, const std::string& path, napi_typedarray_type type,
                                         const char* expected) {
    if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) throw_expected(path, expected);
    void* data = nullptr;
    size_t length = 0;
    napi_get_typedarray_info(value.Env(), value, nullptr, &length, &data, nullptr, nullptr);
    const T* const first = static_cast<const T*>(data);
    return std::vector<T>(first, first + length);
  }

  Napi::Value value(const char* name) const { return get(name); }

  std::string path(const char* name) const { return path_.empty() ? name : path_ + "." + name; }

 private:
  Napi::Value get(const char* name) const { return object_.Get(name); }

  Napi::Object object_;
  std::string path_;
};

// What the string `value` stands for. `path` names it in messages.
template <typename Choice, size_t N>
Choice choose(const std::string& value, const std::string& path, const std::pair<const char*, Choice> (&choices)[N]) {
  std::string expected;
  for (const auto& [name, choice] : choices) {
    if (value == name) return choice;
    expected += (expected.empty() ? "" : ", ") + std::string(name);
  }
  throw_expected(path, "one of " + expected + ", not '" + value + "'");
}

inline Napi::Object as_object(const Napi::Value& value, const std::string& field) {
  if (!value.IsObject()) throw_expected(field, "an object");
  return value.As<Napi::Object>();
}

inline std::string get_string(const Napi::Object& object, const char* field) { return Fields(object, "").utf8(field); }

template <typename Choice, size_t N>
Choice get_choice(const Napi::Object& object, const char* field, const std::pair<const char*, Choice> (&choices)[N]) {
  return choose(get_string(object, field), field, choices);
}

inline bool get_boolean(const Napi::Object& object, const char* field) { return Fields(object, "").boolean(field); }

inline double get_number(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsNumber()) throw_expected(field, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

inline uint64_t get_size(const Napi::Object& object, const char* field) { return to_size(object.Get(field), field); }

inline uint64_t get_uint64(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsBigInt()) throw_expected(field, "a bigint");
  bool lossless = false;
  const uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
  if (!lossless) throw_expected(field, "a bigint of 64 bits, not negative");
  return number;
}

inline int64_t get_int64(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsBigInt()) throw_expected(field, "a bigint");
  bool lossless = false;
  const int64_t number = value.As<Napi::BigInt>().Int64Value(&lossless);
  if (!lossless) throw_expected(field, "a bigint of 64 bits");
  return number;
}

inline std::vector<uint64_t> get_sizes(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsArray()) throw_expected(field, "an array of whole numbers");
  const Napi::Array array = value.As<Napi::Array>();
  std::vector<uint64_t> sizes(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++) sizes[i] = to_size(array.Get(i), field);
  return sizes;
}

}  // namespace bert_native
