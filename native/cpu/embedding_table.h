#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/aligned_buffer.h"
#include "encoder/parameter_source.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// A matrix [rows,width] of which single rows are looked up, kept as f32 or in 16 bits.
class EmbeddingTable {
 public:
  EmbeddingTable() = default;
  // Reads the parameter `name`. `type`: kF32, kF16 or kBf16.
  EmbeddingTable(const std::string& name, size_t rows, size_t width, ParameterReader& reader, MatrixType type);

  size_t size_in_bytes() const { return wide_.size_in_bytes() + narrow_.size_in_bytes(); }

  // out [row_end - row_begin, width] = those rows, as they are kept.
  void read_rows(size_t row_begin, size_t row_end, float* out, const KernelTable& kernels) const;

 private:
  size_t width_ = 0;
  MatrixType type_ = MatrixType::kF32;
  AlignedBuffer<float> wide_;
  AlignedBuffer<uint16_t> narrow_;
};

}  // namespace bert_native
