#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/errors.h"
#include "tokenizer/flat_strings.h"

namespace bert_native {

// kFileFormat unless the unknown token of a model, if it has one, is an entry of the vocabulary.
inline void check_unk_id(std::optional<int32_t> unk_id, const FlatStrings& vocabulary, const std::string& model) {
  if (!unk_id || (*unk_id >= 0 && static_cast<size_t>(*unk_id) < vocabulary.size())) return;
  throw Error(ErrorCode::kFileFormat, "the unknown token of the " + model + " model has id " + std::to_string(*unk_id) +
                                          ", but its vocabulary has " + std::to_string(vocabulary.size()) + " entries");
}

// The start of a word, for messages.
inline std::string shown(std::string_view word) {
  constexpr size_t kMaxShownBytes = 60;
  if (word.size() <= kMaxShownBytes) return std::string(word);
  size_t size = kMaxShownBytes;
  while ((static_cast<unsigned char>(word[size]) & 0xc0) == 0x80) --size;
  return std::string(word.substr(0, size)) + "…";
}

}  // namespace bert_native
