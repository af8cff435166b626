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

// While one lives, the thread's allocations by `new` fail from the one after `count` others on.
class FailingAllocations {
 public:
  explicit FailingAllocations(size_t count);
  ~FailingAllocations();
  FailingAllocations(const FailingAllocations&) = delete;
  // Whether it came to that.
  bool failed() const;
};

}  // namespace bert_native::test
