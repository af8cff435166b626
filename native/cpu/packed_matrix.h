#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "encoder/parameter_source.h"
#include "kernels/kernel_table.h"

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
// of them piece by piece.
class PackedMatrix {
 public:
  // A parameter, and how many rows of the matrix it makes.
  struct Part {
    std::string name;
    size_t rows;
  };

  PackedMatrix() = default;
  // Reads the parts, one below the other, and packs them a few MiB at a time.
  PackedMatrix(const std::vector<Part>& parts, size_t inputs, ParameterReader& reader, const GemmKernels& gemm,
               ThreadPool& pool);

  const GemmKernels& gemm() const { return *gemm_; }
  size_t outputs() const { return outputs_; }
  size_t inputs() const { return inputs_; }
  const DepthPieces& pieces() const { return pieces_; }
  size_t panel_cols() const { return gemm_ == nullptr ? 1 : gemm_->cols; }
  size_t panel_count() const { return (outputs_ + gemm_->cols - 1) / gemm_->cols; }
  size_t size_in_bytes() const { return panels_.size_in_bytes(); }

  // Where a piece of a panel begins.
  const std::byte* panel(size_t index, size_t piece = 0) const {
    return panels_.data() + index * panel_bytes_ + piece * piece_bytes_;
  }

  // out [row_end - row_begin, inputs] = those rows of W, as they are kept.
  void unpack_rows(size_t row_begin, size_t row_end, float* out) const;

 private:
  const GemmKernels* gemm_ = nullptr;
  size_t outputs_ = 0, inputs_ = 0;
  DepthPieces pieces_;
  size_t panel_bytes_ = 0, piece_bytes_ = 0;  // of a whole panel, and of each of its pieces but the last
  AlignedBuffer<std::byte> panels_;
};

}  // namespace bert_native
