#include "cpu/embedding_table.h"

#include <algorithm>
#include <utility>

#include "common/memory.h"
#include "kernels/half.h"

namespace bert_native {

EmbeddingTable::EmbeddingTable(std::string name, size_t rows, size_t width, MatrixType type)
    : name_(std::move(name)), rows_(rows), width_(width), type_(type) {}

size_t EmbeddingTable::rows_per_chunk() const {
  return std::max<size_t>(1, kLoadChunkElements / std::max<size_t>(1, width_));
}

void EmbeddingTable::load_chunk(size_t chunk, const ParameterReader& reader, LoadScratch& scratch) {
  const size_t begin = chunk * rows_per_chunk(), end = std::min(rows_, begin + rows_per_chunk());
  const size_t count = (end - begin) * width_;
  std::byte* elements = elements_ + begin * width_ * element_bytes();
  make_resident(elements, count * element_bytes());
  if (type_ == MatrixType::kF32) {
    reader.read_rows(name_, begin, end, reinterpret_cast<float*>(elements), scratch.read);
    return;
  }
  scratch.rows.reserve(count);
  reader.read_rows(name_, begin, end, scratch.rows.data(), scratch.read);
  auto* out = reinterpret_cast<uint16_t*>(elements);
  if (type_ == MatrixType::kF16) {
    for (size_t i = 0; i < count; ++i) out[i] = f16_bits(scratch.rows[i]);
  } else {
    for (size_t i = 0; i < count; ++i) out[i] = bf16_bits(scratch.rows[i]);
  }
}

void EmbeddingTable::read_rows(size_t row_begin, size_t row_end, float* out, const KernelTable& kernels) const {
  const std::byte* elements = elements_ + row_begin * width_ * element_bytes();
  const size_t count = (row_end - row_begin) * width_;
  if (type_ == MatrixType::kF32) {
    std::copy_n(reinterpret_cast<const float*>(elements), count, out);
  } else if (type_ == MatrixType::kF16) {
    kernels.f16_to_f32(out, reinterpret_cast<const uint16_t*>(elements), count);
  } else {
    kernels.bf16_to_f32(out, reinterpret_cast<const uint16_t*>(elements), count);
  }
}

}  // namespace bert_native
