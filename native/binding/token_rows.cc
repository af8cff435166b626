#include "binding/token_rows.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "binding/arrays.h"
#include "binding/errors.h"
#include "binding/values.h"

namespace bert_native {

namespace {

constexpr napi_type_tag kRowsTag{0x3b8f0d6a92c14e75, 0xb1d47c0e5a9f2836};

void release_rows(napi_env env, void* data, void*) {
  const std::unique_ptr<SharedTokenRows> rows(static_cast<SharedTokenRows*>(data));
  int64_t held = 0;
  napi_adjust_external_memory(env, -static_cast<int64_t>((*rows)->size_in_bytes()), &held);
}

// A copy of one row's ids or type ids: zeros where there are no values.
Napi::Value copy_of_row(const Napi::CallbackInfo& info, const SharedTokenRows& rows,
                        const int32_t* TokenRows::Row::*values) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    const size_t index = to_size(info[0], "row");
    if (index >= rows->rows().size()) throw_expected("row", "less than " + std::to_string(rows->rows().size()));
    const TokenRows::Row& row = rows->rows()[index];
    auto copy = make_typed_array<Napi::Int32Array>(env, "Int32Array", row.length);
    if (row.*values != nullptr) std::memcpy(copy.Data(), row.*values, row.length * sizeof(int32_t));
    return copy;
  });
}

}  // namespace

TokenRows::TokenRows(std::vector<Encoding> parts) : parts_(std::move(parts)), type_ids_(parts_.size()) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    Encoding& part = parts_[i];
    const auto is_set = [](uint8_t type_id) { return type_id != 0; };
    if (std::any_of(part.type_ids.begin(), part.type_ids.end(), is_set)) {
      type_ids_[i].assign(part.type_ids.begin(), part.type_ids.end());
    }
    part.type_ids = {};
    for (size_t row = 0; row + 1 < part.row_starts.size(); ++row) {
      const auto begin = static_cast<size_t>(part.row_starts[row]), end = static_cast<size_t>(part.row_starts[row + 1]);
      const int32_t* const type_ids = type_ids_[i].empty() ? nullptr : type_ids_[i].data() + begin;
      rows_.push_back({part.ids.data() + begin, type_ids, end - begin, part.truncated[row] != 0});
    }
  }
}

size_t TokenRows::size_in_bytes() const {
  size_t size = rows_.size() * sizeof(Row);
  for (const Encoding& part : parts_) size += (part.ids.capacity() + part.row_starts.capacity()) * sizeof(int32_t);
  for (const std::vector<int32_t>& type_ids : type_ids_) size += type_ids.capacity() * sizeof(int32_t);
  return size;
}

Napi::Value to_handle(Napi::Env env, const SharedTokenRows& rows) {
  const size_t count = rows->rows().size();
  auto lengths = make_typed_array<Napi::Int32Array>(env, "Int32Array", count);
  auto truncated = make_typed_array<Napi::Uint8Array>(env, "Uint8Array", count);
  for (size_t i = 0; i < count; ++i) {
    lengths[i] = static_cast<int32_t>(rows->rows()[i].length);
    truncated[i] = rows->rows()[i].truncated ? 1 : 0;
  }
  Napi::Object handle = Napi::Object::New(env);
  handle.Set("lengths", lengths);
  handle.Set("truncated", truncated);
  const auto method = [&](const char* name, const int32_t* TokenRows::Row::*values) {
    const auto call = [rows, values](const Napi::CallbackInfo& info) { return copy_of_row(info, rows, values); };
    handle.Set(name, Napi::Function::New(env, call, name));
  };
  method("ids", &TokenRows::Row::ids);
  method("type_ids", &TokenRows::Row::type_ids);
  auto held = std::make_unique<SharedTokenRows>(rows);
  if (napi_type_tag_object(env, handle, &kRowsTag) != napi_ok) throw Napi::Error::New(env);
  if (napi_wrap(env, handle, held.get(), release_rows, nullptr, nullptr) != napi_ok) throw Napi::Error::New(env);
  held.release();
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<int64_t>(rows->size_in_bytes()));
  return handle;
}

SharedTokenRows read_token_rows(const Napi::Value& handle, const std::string& path) {
  bool is_rows = false;
  if (handle.IsObject()) napi_check_object_type_tag(handle.Env(), handle, &kRowsTag, &is_rows);
  void* rows = nullptr;
  if (!is_rows || napi_unwrap(handle.Env(), handle, &rows) != napi_ok) {
    throw_expected(path, "what encode_rows_async() gives");
  }
  return *static_cast<const SharedTokenRows*>(rows);
}

}  // namespace bert_native
