#pragma once

#include <cstddef>
#include <cstdint>

namespace bert_native {

// [start, end) in a text, in UTF-16 units.
struct Span {
  int32_t start = 0;
  int32_t end = 0;

  bool operator==(const Span&) const = default;
};

// Elements [begin, end) of a sequence.
struct Range {
  size_t begin = 0;
  size_t end = 0;

  bool operator==(const Range&) const = default;
};

}  // namespace bert_native
