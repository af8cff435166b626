#pragma once

#include "common/aligned_buffer.h"
#include "encoder/parameter_source.h"

namespace bert_native {

// Memory that one thread loads weights with.
struct LoadScratch {
  ReadScratch read;
  AlignedBuffer<float> rows;  // as they were read, to be packed
  AlignedBuffer<float> row;   // one of them, to be turned
};

// About as many elements are read before they are packed: they stay in the second-level cache in between.
inline constexpr size_t kLoadChunkElements = size_t{1} << 17;

}  // namespace bert_native
