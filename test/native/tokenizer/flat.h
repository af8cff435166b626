#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/flat_strings.h"

namespace bert_native::test {

inline FlatStrings flat(const std::vector<std::string>& strings) {
  std::string bytes;
  std::vector<uint32_t> starts{0};
  for (const std::string& string : strings) {
    bytes += string;
    starts.push_back(static_cast<uint32_t>(bytes.size()));
  }
  return FlatStrings(std::move(bytes), std::move(starts));
}

}  // namespace bert_native::test
