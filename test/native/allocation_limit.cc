#include "allocation_limit.h"

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

namespace {

std::atomic<size_t> limit_bytes{std::numeric_limits<size_t>::max()};
std::atomic<size_t> failed{0};

constexpr size_t kNever = std::numeric_limits<size_t>::max();
thread_local size_t left = kNever;  // allocations until the first that fails
thread_local bool came_to_fail = false;

// Of all threads: their allocations are counted from `armed` on.
std::atomic<bool> armed{false}, process_failed{false};
std::atomic<size_t> process_count{0}, process_first{0}, process_last{0};

bool process_allocation_fails() {
  if (!armed.load(std::memory_order_relaxed)) return false;
  const size_t number = process_count++;
  if (number < process_first || number >= process_last) return false;
  process_failed = true;
  return true;
}

}  // namespace

// In place of the standard library's, which AlignedBuffer uses.
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  if (size > limit_bytes) {
    ++failed;
    return nullptr;
  }
  if (process_allocation_fails()) return nullptr;
  const size_t unit = static_cast<size_t>(alignment);
#if defined(_WIN32)
  return _aligned_malloc(size, unit);
#else
  return std::aligned_alloc(unit, (size + unit - 1) / unit * unit);
#endif
}

#if defined(__SANITIZE_ADDRESS__)
// These operators take from malloc, and a library's forms that are not among them are the sanitizer's: what one gave
// the other may get.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "alloc_dealloc_mismatch=0";
}
#endif

void* operator new(size_t size) {
  if (left == 0) {
    came_to_fail = true;
    throw std::bad_alloc();
  }
  if (left != kNever) --left;
  if (process_allocation_fails()) throw std::bad_alloc();
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

// Every form that a plain delete may follow: stable_sort takes its buffer by this one.
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  try {
    return operator new(size);
  } catch (...) {
    return nullptr;
  }
}

void operator delete(void* memory) noexcept { std::free(memory); }

void operator delete(void* memory, size_t) noexcept { std::free(memory); }

void operator delete(void* memory, std::align_val_t) noexcept {
#if defined(_WIN32)
  _aligned_free(memory);
#else
  std::free(memory);
#endif
}

namespace bert_native::test {

AllocationLimit::AllocationLimit(size_t bytes) {
  failed = 0;
  limit_bytes = bytes;
}

AllocationLimit::~AllocationLimit() { limit_bytes = std::numeric_limits<size_t>::max(); }

size_t AllocationLimit::failures() const { return failed; }

FailingAllocations::FailingAllocations(size_t count) {
  came_to_fail = false;
  left = count;
}

FailingAllocations::~FailingAllocations() { left = kNever; }

bool FailingAllocations::failed() const { return came_to_fail; }

FailingProcessAllocations::FailingProcessAllocations(size_t first, size_t count) {
  process_count = 0;
  process_first = first;
  process_last = count < kNever - first ? first + count : kNever;
  process_failed = false;
  armed = true;
}

FailingProcessAllocations::~FailingProcessAllocations() { end(); }

void FailingProcessAllocations::end() { armed = false; }

bool FailingProcessAllocations::failed() const { return process_failed; }

}  // namespace bert_native::test
