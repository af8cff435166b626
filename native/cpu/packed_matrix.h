#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "encoder/parameter_source.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// A weight matrix W [outputs,inputs] in the order in which gemm_tile_f32 reads it: panels of gemm_cols rows, each
// [inputs][gemm_cols], the last one filled up with zeros.
class PackedMatrix {
 public:
  // A parameter, and how many rows of the matrix it makes.
  struct Part {
    std::string name;
    size_t rows;
  };

  PackedMatrix() = default;
  // Reads the parts, one below the other, and packs them a few MiB at a time.
  PackedMatrix(const std::vector<Part>& parts, size_t inputs, ParameterReader& reader, const KernelTable& kernels,
               ThreadPool& pool);

  size_t outputs() const { return outputs_; }
  size_t inputs() const { return inputs_; }
  size_t panel_count() const { return (outputs_ + panel_cols_ - 1) / panel_cols_; }
  size_t size_in_bytes() const { return panels_.size_in_bytes(); }
  const float* panel(size_t index) const { return panels_.data() + index * inputs_ * panel_cols_; }

  // out [row_end - row_begin, inputs] = those rows of W, exactly as they were read.
  void unpack_rows(size_t row_begin, size_t row_end, float* out) const;

 private:
  size_t outputs_ = 0, inputs_ = 0, panel_cols_ = 1;
  AlignedBuffer<float> panels_;
};

}  // namespace bert_native
