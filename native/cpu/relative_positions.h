#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cpu/load_scratch.h"
#include "cpu/packed_matrix.h"
#include "encoder/parameter_source.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// Legend: A heads, D head size, H hidden_size, l and r the positions of query and key: columns of the request.

// Which row of a table stands for the distance l - r. Distances past either end count as the end.
class DistanceRows {
 public:
  DistanceRows() = default;
  // row_of: 2N - 1 numbers, entry l - r + N - 1.
  explicit DistanceRows(const std::vector<uint32_t>& row_of);
  // Row l - r + P - 1, as in Shaw et al. 2018; none where no layer has such positions.
  static DistanceRows one_for_each(const EncoderSpecification& specification);

  uint32_t of(size_t l, size_t r) const;

  // Calls body(i, n, rows, falling) with the rows [n] of l to r + i, r + i + 1, …, for i that make up [0, count).
  // falling: each is one less than the one before it, and there are many of them.
  template <class Body>
  void for_each_run(size_t l, size_t r, size_t count, Body body) const {
    const ptrdiff_t first = index(l, r);
    for (size_t i = 0; i < count;) {
      const ptrdiff_t at = first + static_cast<ptrdiff_t>(i);
      if (at < 0 || at >= size()) {
        body(i++, 1, at < 0 ? rows_.data() : rows_.data() + size() - 1, false);
        continue;
      }
      const Piece& piece = piece_at(static_cast<size_t>(at));
      const size_t n = std::min(count - i, piece.end - static_cast<size_t>(at));
      body(i, n, rows_.data() + at, piece.falling);
      i += n;
    }
  }

  // Whether one falling run takes in all distances between queries l_first … l_last and keys r_first … r_last.
  bool fall_between(size_t l_first, size_t l_last, size_t r_first, size_t r_last) const;

  struct Range {
    size_t first, last;
  };
  // The lowest and the highest row between queries l_first … l_last and keys r_first … r_last.
  Range between(size_t l_first, size_t l_last, size_t r_first, size_t r_last) const;

  size_t size_in_bytes() const { return rows_.size() * sizeof(uint32_t) + pieces_.size() * sizeof(Piece); }

 private:
  // Part of rows_, from the end of the piece before it on.
  struct Piece {
    size_t end;
    bool falling;
  };

  ptrdiff_t size() const { return static_cast<ptrdiff_t>(rows_.size()); }
  ptrdiff_t index(size_t l, size_t r) const {
    return size() / 2 + static_cast<ptrdiff_t>(r) - static_cast<ptrdiff_t>(l);
  }
  const Piece& piece_at(size_t index) const;
  void find_pieces();

  std::vector<uint32_t> rows_;  // by r - l + N - 1
  std::vector<Piece> pieces_;
};

// Vectors by distance, as panels for products in f32: panel p of a head, gemm_cols rows of the table of depth D, begins
// at panels + head · head_elements + p · gemm_cols · D. Null panels: there are none.
struct DistanceVectors {
  const float* panels = nullptr;
  size_t head_elements = 0;  // 0: every head has the same

  // matrix: [rows, D], kept as kF32.
  static DistanceVectors of(const PackedMatrix& matrix) { return {reinterpret_cast<const float*>(matrix.panel(0)), 0}; }
};

// P_k or P_q of He et al. 2020: relative positions [rows, H] times a matrix [A·D, H], and its bias. Computed in f32
// from the parameters as they are stored, whatever the weights of the layers are kept in. Its memory is somebody
// else's.
class RelativeProjection {
 public:
  RelativeProjection() = default;
  // projection: names the matrix and the bias, as "layers.0.attention.key". Nothing is read yet.
  RelativeProjection(const RelativePositions& positions, const AttentionSpecification& attention, size_t hidden_size,
                     std::string projection, bool has_bias, const KernelTable& kernels);

  size_t size_in_bytes() const { return heads_ * head_elements() * sizeof(float); }
  // Where its size_in_bytes() lie, aligned to a cache line.
  void place(std::byte* memory) { panels_ = reinterpret_cast<float*>(memory); }
  // As the other weights have it: here all is one chunk.
  size_t chunk_count() const { return heads_ == 0 ? 0 : 1; }
  void load_chunk(size_t chunk, const ParameterReader& reader, LoadScratch& scratch);

  DistanceVectors vectors() const { return {panels_, head_elements()}; }

 private:
  size_t padded_rows() const {
    return kernels_ == nullptr ? 0 : (rows_ + kernels_->gemm_cols - 1) / kernels_->gemm_cols * kernels_->gemm_cols;
  }
  size_t head_elements() const { return padded_rows() * head_size_; }
  void read_strips(float* strips, const ParameterReader& reader, LoadScratch& scratch) const;

  const KernelTable* kernels_ = nullptr;
  size_t rows_ = 0, heads_ = 0, head_size_ = 0, hidden_size_ = 0;
  bool has_norm_ = false, norm_bias_ = false;
  float norm_eps_ = 0;
  std::string projection_;
  bool has_bias_ = false;
  float* panels_ = nullptr;
};

}  // namespace bert_native
