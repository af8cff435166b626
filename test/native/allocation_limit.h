#pragma once

#include <cstddef>

namespace bert_native::test {

// While one lives, buffers of more than `bytes` bytes cannot be allocated, as where memory is short. Counts what
// failed.
class AllocationLimit {
 public:
  explicit AllocationLimit(size_t bytes);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  size_t failures() const;
};

}  // namespace bert_native::test
