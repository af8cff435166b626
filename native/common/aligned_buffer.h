#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include "common/errors.h"
#include "common/large_pages.h"

namespace bert_native {

inline constexpr size_t kCacheLineBytes = 64;

// Owned, uninitialised, cache-line aligned storage for `size` elements of a plain type. What is large lies in large pages
// where the system has them: fewer faults on its first use, fewer misses of the translation buffer later. Throws kMemory.
template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size) : size_(size) {
    if (size == 0) return;
    void* memory = nullptr;
    std::align_val_t alignment{kCacheLineBytes};
    if (size <= std::numeric_limits<size_t>::max() / sizeof(T)) {
      if (size * sizeof(T) >= kLeastLargePages * kLargePageBytes) alignment = std::align_val_t{kLargePageBytes};
      memory = ::operator new(size * sizeof(T), alignment, std::nothrow);
    }
    if (memory == nullptr) {
      throw Error(ErrorCode::kMemory, "could not allocate " + std::to_string(size) + " elements of " +
                                          std::to_string(sizeof(T)) + " bytes");
    }
    if (alignment == std::align_val_t{kLargePageBytes}) use_large_pages(memory, size * sizeof(T));
    data_ = {static_cast<T*>(memory), Release{alignment}};
  }

  // Makes room for at least `size` elements; what the buffer held is lost when it grows. Throws kMemory, and is empty
  // then.
  void reserve(size_t size) {
    if (size_ >= size) return;
    *this = {};  // first, so that both are never held at once
    *this = AlignedBuffer(size);
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  size_t size() const { return size_; }
  size_t size_in_bytes() const { return size_ * sizeof(T); }
  T& operator[](size_t i) { return data_.get()[i]; }
  const T& operator[](size_t i) const { return data_.get()[i]; }

 private:
  // Below that the last page, of which a part is wasted or which is not large, would be too much of the whole.
  static constexpr size_t kLeastLargePages = 2;

  struct Release {
    std::align_val_t alignment{kCacheLineBytes};
    void operator()(T* memory) const { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<T, Release> data_;
  size_t size_ = 0;
};

}  // namespace bert_native
