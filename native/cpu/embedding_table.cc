#include "cpu/embedding_table.h"

#include <algorithm>

#include "kernels/half.h"

namespace bert_native {

namespace {

constexpr size_t kStagingElements = size_t{1} << 18;

}  // namespace

EmbeddingTable::EmbeddingTable(const std::string& name, size_t rows, size_t width, ParameterReader& reader,
                               MatrixType type)
    : width_(width), type_(type) {
  if (type == MatrixType::kF32) {
    wide_ = AlignedBuffer<float>(rows * width);
    reader.read_rows(name, 0, rows, wide_.data());
    return;
  }
  narrow_ = AlignedBuffer<uint16_t>(rows * width);
  const size_t block = std::clamp<size_t>(kStagingElements / width, 1, std::max<size_t>(1, rows));
  AlignedBuffer<float> staging(block * width);
  for (size_t row = 0; row < rows; row += block) {
    const size_t count = std::min(block, rows - row);
    reader.read_rows(name, row, row + count, staging.data());
    uint16_t* out = narrow_.data() + row * width;
    if (type == MatrixType::kF16) {
      for (size_t i = 0; i < count * width; ++i) out[i] = f16_bits(staging[i]);
    } else {
      for (size_t i = 0; i < count * width; ++i) out[i] = bf16_bits(staging[i]);
    }
  }
}

void EmbeddingTable::read_rows(size_t row_begin, size_t row_end, float* out, const KernelTable& kernels) const {
  const size_t begin = row_begin * width_, count = (row_end - row_begin) * width_;
  if (type_ == MatrixType::kF32) {
    std::copy_n(wide_.data() + begin, count, out);
  } else if (type_ == MatrixType::kF16) {
    kernels.f16_to_f32(out, narrow_.data() + begin, count);
  } else {
    kernels.bf16_to_f32(out, narrow_.data() + begin, count);
  }
}

}  // namespace bert_native
