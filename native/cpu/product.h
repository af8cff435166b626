#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>

#include "common/thread_pool.h"
#include "cpu/packed_matrix.h"
#include "kernels/kernel_table.h"

namespace bert_native {

inline size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

// The distance between rows of at least n elements: whole cache lines, but no multiple of 1 KiB, so that the rows of a
// strip do not compete for the same lines of a cache.
inline size_t row_stride(size_t n) {
  const size_t stride = ceil_div(n, 16) * 16;
  return stride % 256 == 0 ? stride + 16 : stride;
}

// How the steps of one job are shared out: among the threads of a pool, or not at all where the job itself is one of
// many that run side by side.
class Spread {
 public:
  Spread() = default;
  explicit Spread(ThreadPool& pool) : pool_(&pool) {}

  size_t thread_count() const { return pool_ == nullptr ? 1 : pool_->thread_count(); }

  // Calls body with ranges [begin, end) that make up [0, count).
  void operator()(size_t count, const std::function<void(size_t begin, size_t end)>& body) const;

 private:
  ThreadPool* pool_ = nullptr;
};

// Rows of a matrix, packed for products with weights: piece after piece of the depth, each of them strip after strip.
class Strips {
 public:
  Strips(const GemmKernels& gemm, const DepthPieces& pieces, std::byte* data, size_t rows)
      : gemm_(&gemm), pieces_(pieces), data_(data), rows_(rows) {}

  // What `rows` rows take.
  static size_t size_in_bytes(const GemmKernels& gemm, const DepthPieces& pieces, size_t rows);

  const GemmKernels& gemm() const { return *gemm_; }
  size_t rows() const { return rows_; }
  size_t count() const { return ceil_div(rows_, gemm_->rows); }
  const DepthPieces& pieces() const { return pieces_; }

  // Packs strip `index` of a [rows, depth], row stride lda: all its pieces.
  void pack(const float* a, size_t lda, size_t index);

  std::byte* strip(size_t index, size_t piece) const {
    return data_ + piece * count() * gemm_->strip_bytes(pieces_.longest()) +
           index * gemm_->strip_bytes(pieces_.length(piece));
  }

 private:
  const GemmKernels* gemm_;
  DepthPieces pieces_;
  std::byte* data_;
  size_t rows_;
};

// Packs strip `strip` of a [rows,depth], row stride lda, for gemm_tile_f32.
void pack_strip(const KernelTable& kernels, float* strips, const float* a, size_t lda, size_t rows, size_t depth,
                size_t strip);

// C [a.rows(), …] = A · W[panel_begin·cols …, the depth from piece `first_piece` on, as many pieces as A has]ᵀ, added
// to what C holds if `accumulate`. Column 0 of c is the first of panel_begin; whole panels are written, so ldc leaves
// room for them.
struct Product {
  const Strips& a;
  const PackedMatrix& w;
  size_t first_piece = 0;
  size_t panel_begin = 0, panel_end = 0;
  float* c = nullptr;
  size_t ldc = 0;
  bool accumulate = false;
};

// Part of a result, in rows and columns of Product::c, without the columns that only fill up the last panel.
struct Region {
  size_t row_begin, row_end;
  size_t col_begin, col_end;
};

// Computes the product; `epilogue` is called once with each region when it is complete, by the thread that computed it.
void multiply(const Spread& spread, const Product& product, const std::function<void(const Region&)>& epilogue);

}  // namespace bert_native
