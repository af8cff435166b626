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

// While one lives, allocations of the process fail, whatever thread makes them and whether by `new` or as an aligned
// buffer: `count` of them, from the one after `first` others on.
class FailingProcessAllocations {
 public:
  FailingProcessAllocations(size_t first, size_t count);
  ~FailingProcessAllocations();
  FailingProcessAllocations(const FailingProcessAllocations&) = delete;
  bool failed() const;
  // From here on none fails any more: memory came back.
  static void end();
};

}  // namespace bert_native::test
