#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cpu/load_scratch.h"
#include "encoder/parameter_source.h"
#include "kernels/gemm_kernels.h"

namespace bert_native {

// The depth of a product is cut into pieces, so that those of a panel and of every strip stay in the second-level cache
// while they meet. Each is packed on its own: where packing chooses a scale, it chooses one for each piece. The cuts
// follow from the depth alone, because results depend on them.
class DepthPieces {
 public:
  DepthPieces() = default;
  explicit DepthPieces(size_t depth);

  size_t count() const { return count_; }
  size_t begin(size_t piece) const { return piece * length_; }
  size_t length(size_t piece) const { return piece + 1 < count_ ? length_ : depth_ - piece * length_; }
  size_t longest() const { return length_; }

 private:
  size_t depth_ = 0, length_ = 0, count_ = 0;
};

// A weight matrix W [outputs,inputs] in the order in which the tiles of a product read it: panels of `cols` rows, each
// of them piece by piece. Its memory is somebody else's.
class PackedMatrix {
 public:
  // A parameter, how many rows of the matrix it makes, and the first of its own that it gives.
  struct Part {
    std::string name;
    size_t rows;
    size_t first_row = 0;
  };

  PackedMatrix() = default;
  // The parts one below the other; nothing is read yet. Of a convolution's parameter a row is [channels, taps], and is
  // kept as [taps, channels]: the columns of a sequence that it covers, one behind the other.
  PackedMatrix(std::vector<Part> parts, size_t inputs, const GemmKernels& gemm, size_t taps = 1);

  // Where its size_in_bytes() lie, aligned to a cache line.
  void place(std::byte* memory) { panels_ = memory; }
  // The matrix is read and packed in chunks, in any order, and by several threads at once.
  size_t chunk_count() const;
  void load_chunk(size_t chunk, const ParameterReader& reader, LoadScratch& scratch);

  const GemmKernels& gemm() const { return *gemm_; }
  size_t outputs() const { return outputs_; }
  size_t inputs() const { return inputs_; }
  const DepthPieces& pieces() const { return pieces_; }
  size_t panel_count() const { return gemm_ == nullptr ? 0 : (outputs_ + gemm_->cols - 1) / gemm_->cols; }
  size_t size_in_bytes() const { return panel_count() * panel_bytes_; }

  // Where a piece of a panel begins.
  const std::byte* panel(size_t index, size_t piece = 0) const {
    return panels_ + index * panel_bytes_ + piece * piece_bytes_;
  }

  // out [row_end - row_begin, inputs] = those rows of W, as they are kept, in the parameter's order.
  void unpack_rows(size_t row_begin, size_t row_end, float* out) const;

 private:
  void read_rows(size_t row_begin, size_t row_end, const ParameterReader& reader, LoadScratch& scratch) const;
  size_t panels_per_chunk() const;

  const GemmKernels* gemm_ = nullptr;
  std::vector<Part> parts_;
  size_t outputs_ = 0, inputs_ = 0, taps_ = 1;
  DepthPieces pieces_;
  size_t panel_bytes_ = 0, piece_bytes_ = 0;  // of a whole panel, and of each of its pieces but the last
  std::byte* panels_ = nullptr;
};

}  // namespace bert_native
