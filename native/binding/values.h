#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "common/errors.h"

namespace bert_native {

// Reading fields of the objects that lib/ hands over. lib/ has checked them for its users; these checks keep the native
// side safe whatever arrives, with one sentence: "<field>: expected <what>".

[[noreturn]] inline void throw_expected(const std::string& field, const std::string& expected) {
  throw Error(ErrorCode::kOption, field + ": expected " + expected);
}

inline Napi::Object as_object(const Napi::Value& value, const std::string& field) {
  if (!value.IsObject()) throw_expected(field, "an object");
  return value.As<Napi::Object>();
}

inline std::string get_string(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsString()) throw_expected(field, "a string");
  return value.As<Napi::String>().Utf8Value();
}

inline bool get_boolean(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsBoolean()) throw_expected(field, "true or false");
  return value.As<Napi::Boolean>().Value();
}

inline double get_number(const Napi::Object& object, const char* field) {
  const Napi::Value value = object.Get(field);
  if (!value.IsNumber()) throw_expected(field, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

inline uint64_t to_size(const Napi::Value& value, const char* field) {
  constexpr double kMaxSafeInteger = 9007199254740991.0;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1.0;
  if (!(number >= 0 && number <= kMaxSafeInteger && number == std::floor(number))) {
    throw_expected(field, "a whole number, not negative");
  }
  return static_cast<uint64_t>(number);
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
