#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cpu/load_scratch.h"
#include "encoder/parameter_source.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// A matrix [rows,width] of which single rows are looked up, kept as f32 or in 16 bits. Its memory is somebody else's.
class EmbeddingTable {
 public:
  EmbeddingTable() = default;
  // The parameter `name`; nothing is read yet. `type`: kF32, kF16 or kBf16.
  EmbeddingTable(std::string name, size_t rows, size_t width, MatrixType type);

  size_t width() const { return width_; }
  size_t size_in_bytes() const { return rows_ * width_ * element_bytes(); }
  // Where its size_in_bytes() lie, aligned to a cache line.
  void place(std::byte* memory) { elements_ = memory; }
  // The table is read in chunks, in any order, and by several threads at once.
  size_t chunk_count() const { return (rows_ + rows_per_chunk() - 1) / rows_per_chunk(); }
  void load_chunk(size_t chunk, const ParameterReader& reader, LoadScratch& scratch);

  // out [row_end - row_begin, width] = those rows, as they are kept.
  void read_rows(size_t row_begin, size_t row_end, float* out, const KernelTable& kernels) const;
  // The rows from `row` on where they are kept as f32, else null.
  const float* rows_in_place(size_t row) const {
    return type_ == MatrixType::kF32 ? reinterpret_cast<const float*>(elements_) + row * width_ : nullptr;
  }

 private:
  size_t element_bytes() const { return type_ == MatrixType::kF32 ? sizeof(float) : sizeof(uint16_t); }
  size_t rows_per_chunk() const;

  std::string name_;
  size_t rows_ = 0, width_ = 0;
  MatrixType type_ = MatrixType::kF32;
  std::byte* elements_ = nullptr;
};

}  // namespace bert_native
