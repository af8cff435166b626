#pragma once

#include <cstddef>
#include <vector>

#include "common/aligned_buffer.h"

namespace bert_native {

// Memory of one thread, kept from batch to batch: blocks that are taken in the same order every time.
class GraphScratch {
 public:
  void begin() { next_ = 0; }
  // Valid until the same block is taken again. Throws kMemory.
  template <typename T>
  T* take(size_t count) {
    if (next_ == blocks_.size()) blocks_.emplace_back();
    AlignedBuffer<std::byte>& block = blocks_[next_++];
    block.reserve(count * sizeof(T));
    return reinterpret_cast<T*>(block.data());
  }
  size_t size_in_bytes() const {
    size_t bytes = 0;
    for (const AlignedBuffer<std::byte>& block : blocks_) bytes += block.size_in_bytes();
    return bytes;
  }

 private:
  std::vector<AlignedBuffer<std::byte>> blocks_;
  size_t next_ = 0;
};

}  // namespace bert_native
