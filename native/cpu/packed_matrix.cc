#include "cpu/packed_matrix.h"

#include <algorithm>

namespace bert_native {

namespace {

constexpr size_t kStagingElements = size_t{1} << 20;

// Rows [row_begin, row_end) of the parts set one below the other.
void read_rows(const std::vector<PackedMatrix::Part>& parts, size_t inputs, size_t row_begin, size_t row_end,
               ParameterReader& reader, float* out) {
  size_t part_begin = 0;
  for (const PackedMatrix::Part& part : parts) {
    const size_t part_end = part_begin + part.rows;
    const size_t begin = std::max(row_begin, part_begin), end = std::min(row_end, part_end);
    if (begin < end) {
      reader.read_rows(part.name, begin - part_begin, end - part_begin, out + (begin - row_begin) * inputs);
    }
    part_begin = part_end;
  }
}

}  // namespace

PackedMatrix::PackedMatrix(const std::vector<Part>& parts, size_t inputs, ParameterReader& reader,
                           const KernelTable& kernels, ThreadPool& pool)
    : inputs_(inputs), panel_cols_(kernels.gemm_cols) {
  for (const Part& part : parts) outputs_ += part.rows;
  const size_t panel_size = inputs * panel_cols_;
  panels_ = AlignedBuffer<float>(panel_count() * panel_size);
  const size_t block = std::min(panel_count(), std::max<size_t>(1, kStagingElements / panel_size));
  AlignedBuffer<float> staging(block * panel_size);
  for (size_t first = 0; first < panel_count(); first += block) {
    const size_t row_begin = first * panel_cols_;
    const size_t row_end = std::min(outputs_, row_begin + block * panel_cols_);
    read_rows(parts, inputs, row_begin, row_end, reader, staging.data());
    pool.parallel_for(std::min(block, panel_count() - first), [&](size_t i, size_t) {
      const size_t cols = std::min(panel_cols_, row_end - row_begin - i * panel_cols_);
      kernels.gemm_pack_panel_f32(panels_.data() + (first + i) * panel_size, staging.data() + i * panel_size, inputs,
                                  cols, inputs);
    });
  }
}

void PackedMatrix::unpack_rows(size_t row_begin, size_t row_end, float* out) const {
  for (size_t row = row_begin; row < row_end; ++row) {
    const float* column = panel(row / panel_cols_) + row % panel_cols_;
    for (size_t k = 0; k < inputs_; ++k) *out++ = column[k * panel_cols_];
  }
}

}  // namespace bert_native
