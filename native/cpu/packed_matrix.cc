#include "cpu/packed_matrix.h"

#include <algorithm>

namespace bert_native {

namespace {

constexpr size_t kStagingElements = size_t{1} << 20;
constexpr size_t kLongestPiece = 768;

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

// Pieces of equal length as far as possible, cut where the sums of f32 may be.
DepthPieces::DepthPieces(size_t depth) : depth_(depth) {
  const size_t wanted = std::max<size_t>(1, (depth + kLongestPiece - 1) / kLongestPiece);
  const size_t length = (depth + wanted - 1) / wanted;
  length_ = (length + kGemmSumLength - 1) / kGemmSumLength * kGemmSumLength;
  if (length_ >= depth) length_ = depth;
  count_ = depth == 0 ? 0 : (depth + length_ - 1) / length_;
}

PackedMatrix::PackedMatrix(const std::vector<Part>& parts, size_t inputs, ParameterReader& reader,
                           const GemmKernels& gemm, ThreadPool& pool)
    : gemm_(&gemm), inputs_(inputs), pieces_(inputs) {
  for (const Part& part : parts) outputs_ += part.rows;
  piece_bytes_ = gemm.panel_bytes(pieces_.longest());
  for (size_t piece = 0; piece < pieces_.count(); ++piece) panel_bytes_ += gemm.panel_bytes(pieces_.length(piece));
  panels_ = AlignedBuffer<std::byte>(panel_count() * panel_bytes_);
  const size_t panel_elements = inputs * gemm.cols;
  const size_t block = std::min(panel_count(), std::max<size_t>(1, kStagingElements / panel_elements));
  AlignedBuffer<float> staging(block * panel_elements);
  for (size_t first = 0; first < panel_count(); first += block) {
    const size_t row_begin = first * gemm.cols;
    const size_t row_end = std::min(outputs_, row_begin + block * gemm.cols);
    read_rows(parts, inputs, row_begin, row_end, reader, staging.data());
    pool.parallel_for(std::min(block, panel_count() - first), [&](size_t i, size_t) {
      const size_t cols = std::min(gemm.cols, row_end - row_begin - i * gemm.cols);
      std::byte* out = panels_.data() + (first + i) * panel_bytes_;
      for (size_t piece = 0; piece < pieces_.count(); ++piece) {
        gemm.pack_panel(out + piece * piece_bytes_, staging.data() + i * panel_elements + pieces_.begin(piece), inputs,
                        cols, pieces_.length(piece));
      }
    });
  }
}

void PackedMatrix::unpack_rows(size_t row_begin, size_t row_end, float* out) const {
  for (size_t row = row_begin; row < row_end; ++row) {
    for (size_t piece = 0; piece < pieces_.count(); ++piece) {
      gemm_->unpack_column(out + pieces_.begin(piece), panel(row / gemm_->cols, piece), row % gemm_->cols,
                           pieces_.length(piece));
    }
    out += inputs_;
  }
}

}  // namespace bert_native
