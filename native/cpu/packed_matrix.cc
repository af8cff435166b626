#include "cpu/packed_matrix.h"

#include <algorithm>
#include <utility>

#include "common/memory.h"

namespace bert_native {

namespace {

constexpr size_t kLongestPiece = 768;

// out [columns, rows] = a [rows, columns], transposed
void turn(float* out, const float* a, size_t rows, size_t columns) {
  for (size_t row = 0; row < rows; ++row) {
    for (size_t column = 0; column < columns; ++column) out[column * rows + row] = a[row * columns + column];
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

PackedMatrix::PackedMatrix(std::vector<Part> parts, size_t inputs, const GemmKernels& gemm, size_t taps)
    : gemm_(&gemm), parts_(std::move(parts)), inputs_(inputs), taps_(taps), pieces_(inputs) {
  for (const Part& part : parts_) outputs_ += part.rows;
  piece_bytes_ = gemm.panel_bytes(pieces_.longest());
  for (size_t piece = 0; piece < pieces_.count(); ++piece) panel_bytes_ += gemm.panel_bytes(pieces_.length(piece));
}

size_t PackedMatrix::panels_per_chunk() const {
  return std::max<size_t>(1, kLoadChunkElements / (inputs_ * gemm_->cols));
}

size_t PackedMatrix::chunk_count() const { return (panel_count() + panels_per_chunk() - 1) / panels_per_chunk(); }

void PackedMatrix::load_chunk(size_t chunk, const ParameterReader& reader, LoadScratch& scratch) {
  const size_t first = chunk * panels_per_chunk(), end = std::min(panel_count(), first + panels_per_chunk());
  read_rows(first * gemm_->cols, std::min(outputs_, end * gemm_->cols), reader, scratch);
  make_resident(panels_ + first * panel_bytes_, (end - first) * panel_bytes_);
  for (size_t panel = first; panel < end; ++panel) {
    const size_t cols = std::min(gemm_->cols, outputs_ - panel * gemm_->cols);
    const float* rows = scratch.rows.data() + (panel - first) * gemm_->cols * inputs_;
    std::byte* out = panels_ + panel * panel_bytes_;
    for (size_t piece = 0; piece < pieces_.count(); ++piece) {
      gemm_->pack_panel(out + piece * piece_bytes_, rows + pieces_.begin(piece), inputs_, cols, pieces_.length(piece));
    }
  }
}

// Rows [row_begin, row_end) of the parts set one below the other.
void PackedMatrix::read_rows(size_t row_begin, size_t row_end, const ParameterReader& reader,
                             LoadScratch& scratch) const {
  scratch.rows.reserve((row_end - row_begin) * inputs_);
  size_t part_begin = 0;
  for (const Part& part : parts_) {
    const size_t part_end = part_begin + part.rows;
    const size_t begin = std::max(row_begin, part_begin), end = std::min(row_end, part_end);
    if (begin < end) {
      reader.read_rows(part.name, part.first_row + begin - part_begin, part.first_row + end - part_begin,
                       scratch.rows.data() + (begin - row_begin) * inputs_, scratch.read);
    }
    part_begin = part_end;
  }
  if (taps_ == 1) return;
  scratch.row.reserve(inputs_);
  for (size_t row = 0; row < row_end - row_begin; ++row) {
    float* weights = scratch.rows.data() + row * inputs_;
    std::copy_n(weights, inputs_, scratch.row.data());
    turn(weights, scratch.row.data(), inputs_ / taps_, taps_);
  }
}

void PackedMatrix::unpack_rows(size_t row_begin, size_t row_end, float* out) const {
  std::vector<float> kept(inputs_);
  for (size_t row = row_begin; row < row_end; ++row) {
    for (size_t piece = 0; piece < pieces_.count(); ++piece) {
      gemm_->unpack_column(kept.data() + pieces_.begin(piece), panel(row / gemm_->cols, piece), row % gemm_->cols,
                           pieces_.length(piece));
    }
    turn(out, kept.data(), taps_, inputs_ / taps_);
    out += inputs_;
  }
}

}  // namespace bert_native
