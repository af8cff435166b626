#pragma once

#include <cstddef>

namespace bert_native {

// Products that GEMM in f32 sums before it adds the sum to the result. The rounding error of a sum grows with the
// number of its terms: two levels keep it at that of about √K of them (Higham, Accuracy and Stability of Numerical
// Algorithms, §4.2).
inline constexpr size_t kGemmSumLength = 128;

// How the weights of a product are kept, and what they are multiplied in. Results are always f32.
enum class MatrixType {
  kF32,
  kF16,     // kept as f16, multiplied in f32: exact for weights that f16 holds
  kBf16,    // kept as bf16; the other operand is rounded to bf16 too where the processor multiplies that faster
  kInt8,    // integers with a scale for each output; the other operand likewise, with a scale for each row
  kBf16x2,  // f32 as the sum of two numbers of bf16: three products
  kBf16x3,  // of three: six products, as exact as f32
};
inline constexpr size_t kMatrixTypeCount = 6;

// Memory that will be read next: a tile asks the second-level cache for it while it computes. None if empty.
struct Ahead {
  const std::byte* memory = nullptr;
  size_t bytes = 0;
};

// C[M,N] = A[M,K] · W[N,K]ᵀ in tiles of rows × cols, for one MatrixType on one instruction set. The strip (the rows of
// A of one tile) and the panel (the rows of W of one tile) are packed in an order, and with side values, that only
// these functions know; K is `depth` throughout. Sizes count elements; packed memory begins at any multiple of 4 bytes.
//
// Same bits whatever the batch: a row's result depends on that row, the weights and the cuts of the depth alone.
struct GemmKernels {
  size_t rows;
  size_t cols;

  // Sizes of a strip and a panel of `depth`.
  size_t (*strip_bytes)(size_t depth);
  size_t (*panel_bytes)(size_t depth);

  // Packs a[0, rows_used)[depth], row stride lda; the strip's other rows are zero.
  void (*pack_strip)(void* strip, const float* a, size_t lda, size_t rows_used, size_t depth);
  // Packs w[0, cols_used)[depth], row stride ldw; the panel's other columns are zero.
  void (*pack_panel)(void* panel, const float* w, size_t ldw, size_t cols_used, size_t depth);
  // c[r][j] = (accumulate ? c[r][j] : 0) + Σ_k a[r][k] w[j][k], for r < rows_used and all `cols` columns j.
  void (*tile)(float* c, size_t ldc, const void* strip, const void* panel, size_t rows_used, size_t depth,
               bool accumulate, Ahead ahead);
  // out[depth] = column `col` of a packed panel, as it is kept.
  void (*unpack_column)(float* out, const void* panel, size_t col, size_t depth);

  // Whether both operands are rounded, to be multiplied faster than in f32.
  bool rounds_both = false;

  // Rows that one thread works on at a time, from product to product: enough that reading the weights from beyond its
  // caches, once for all of them, does not take longer than multiplying; few enough that their own data stay in the
  // second-level cache.
  size_t group_rows = 96;

  // What a thread calls before the first and after the last of a number of calls of `tile`; null where there is
  // nothing to do. In between, the thread runs on as usual but leaves the unit that they set up alone.
  void (*begin_tiles)() = nullptr;
  void (*end_tiles)() = nullptr;
};

// While it lives, its thread may call `tile`.
class TileScope {
 public:
  explicit TileScope(const GemmKernels& gemm) : end_(gemm.end_tiles) {
    if (gemm.begin_tiles != nullptr) gemm.begin_tiles();
  }
  ~TileScope() {
    if (end_ != nullptr) end_();
  }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;

 private:
  void (*end_)();
};

}  // namespace bert_native
