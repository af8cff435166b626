#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include "common/errors.h"

namespace bert_native {

inline constexpr size_t kCacheLineBytes = 64;

// Owned, uninitialised, cache-line aligned storage for `size` elements of a plain type. Throws kMemory.
template <typename T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size) : size_(size) {
    if (size == 0) return;
    void* memory = nullptr;
    if (size <= std::numeric_limits<size_t>::max() / sizeof(T)) {
      memory = ::operator new(size * sizeof(T), std::align_val_t{kCacheLineBytes}, std::nothrow);
    }
    if (memory == nullptr) {
      throw Error(ErrorCode::kMemory, "could not allocate " + std::to_string(size) + " elements of " +
                                          std::to_string(sizeof(T)) + " bytes");
    }
    data_.reset(static_cast<T*>(memory));
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
  struct Release {
    void operator()(T* memory) const { ::operator delete(memory, std::align_val_t{kCacheLineBytes}); }
  };
  std::unique_ptr<T, Release> data_;
  size_t size_ = 0;
};

}  // namespace bert_native
