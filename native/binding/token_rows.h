#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/encoding.h"

namespace bert_native {

// What a tokenizer made of texts, kept for encoders: rows of ids that never pass through JavaScript. Immutable.
class TokenRows {
 public:
  struct Row {
    const int32_t* ids;
    const int32_t* type_ids;  // null: all zeros
    size_t length;
    bool truncated;
  };

  explicit TokenRows(std::vector<Encoding> parts);

  const std::vector<Row>& rows() const { return rows_; }
  size_t size_in_bytes() const;

 private:
  std::vector<Encoding> parts_;
  std::vector<std::vector<int32_t>> type_ids_;  // of each part; empty: all zeros
  std::vector<Row> rows_;
};

using SharedTokenRows = std::shared_ptr<const TokenRows>;

// NativeTokenRows of lib/binding/native.ts.
Napi::Value to_handle(Napi::Env env, const SharedTokenRows& rows);

// Throws kOption for anything but such a handle.
SharedTokenRows read_token_rows(const Napi::Value& handle, const std::string& path);

}  // namespace bert_native
