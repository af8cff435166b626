#pragma once

#include <cstddef>
#include <cstdint>

#include "common/compiler.h"
#include "kernels/gemm_kernels.h"
#include "kernels/half.h"
#include "kernels/simd/gemm.h"

// Products of bf16 where an instruction multiplies and adds pairs of them, over a type D:
//   Vector            its f32 vector, of as many lanes as there are pairs in a register
//   Pairs             a register of pairs; load
//   load_column(a)    a pair of each row of a strip; row<i>() of it: that of one row, for all lanes
//   kGemmRows         rows of a tile that its registers hold
//   dot(sum, a, w)    in each lane: sum + a₀ w₀ + a₁ w₁ in f32, rounded as the processor does it
//   round(out, x, n)  n elements as bf16, to nearest, and a zero behind them if n is odd; the values of bf16_bits() for
//                     normal numbers
// A strip is [depth / 2][rows][2], a panel [depth / 2][cols][2], filled up with zeros.

namespace bert_native {
namespace {

template <class D, size_t kRow, size_t kEnd>
struct Bf16TileRows {
  typename D::Vector left, right;
  Bf16TileRows<D, kRow + 1, kEnd> next;

  BN_ALWAYS_INLINE void clear() {
    left = right = D::Vector::broadcast(0.0f);
    next.clear();
  }
  BN_ALWAYS_INLINE void add(const float* c, size_t ldc) {
    left = D::Vector::load(c) + left;
    right = D::Vector::load(c + D::Vector::kLanes) + right;
    next.add(c + ldc, ldc);
  }
  BN_ALWAYS_INLINE void store(float* c, size_t ldc) const {
    left.store(c);
    right.store(c + D::Vector::kLanes);
    next.store(c + ldc, ldc);
  }
  BN_ALWAYS_INLINE void add_products(const typename D::Column& a, typename D::Pairs w_left, typename D::Pairs w_right) {
    const auto pair = D::template row<kRow>(a);
    left = D::dot(left, pair, w_left);
    right = D::dot(right, pair, w_right);
    next.add_products(a, w_left, w_right);
  }
};

template <class D, size_t kEnd>
struct Bf16TileRows<D, kEnd, kEnd> {
  void clear() {}
  void add(const float*, size_t) {}
  void store(float*, size_t) const {}
  void add_products(const typename D::Column&, typename D::Pairs, typename D::Pairs) {}
};

template <class D>
struct Bf16Gemm {
  using V = typename D::Vector;
  static constexpr size_t kRows = D::kGemmRows, kCols = 2 * V::kLanes;

  static size_t pairs(size_t depth) { return (depth + 1) / 2; }
  static size_t strip_bytes(size_t depth) { return pairs(depth) * 2 * kRows * sizeof(Bf16); }
  static size_t panel_bytes(size_t depth) { return pairs(depth) * 2 * kCols * sizeof(Bf16); }

  static void pack_strip(void* strip, const float* a, size_t lda, size_t rows, size_t depth) {
    pack<kRows>(static_cast<Bf16*>(strip), a, lda, rows, depth);
  }
  static void pack_panel(void* panel, const float* w, size_t ldw, size_t cols, size_t depth) {
    pack<kCols>(static_cast<Bf16*>(panel), w, ldw, cols, depth);
  }

  template <size_t kUsed>
  static void tile_of_rows(float* c, size_t ldc, const Bf16* a, const Bf16* w, size_t depth, bool accumulate,
                           Ahead ahead) {
    Prefetcher prefetch(ahead, w, pairs(depth));
    Bf16TileRows<D, 0, kUsed> tile;
    tile.clear();
    for (size_t k = 0; k < depth; k += 2) {
      prefetch.step();
      tile.add_products(D::load_column(a), D::load(w), D::load(w + kCols));
      a += 2 * kRows;
      w += 2 * kCols;
    }
    if (accumulate) tile.add(c, ldc);
    tile.store(c, ldc);
  }

  static void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth,
                   bool accumulate, Ahead ahead) {
    with_row_count<kRows>(rows, [&]<size_t kUsed>() {
      tile_of_rows<kUsed>(c, ldc, static_cast<const Bf16*>(strip), static_cast<const Bf16*>(panel), depth, accumulate,
                          ahead);
    });
  }

  static void unpack_column(float* out, const void* panel, size_t col, size_t depth) {
    const Bf16* data = static_cast<const Bf16*>(panel);
    for (size_t k = 0; k < depth; ++k) out[k] = bf16_value(data[(k / 2 * kCols + col) * 2 + k % 2].bits);
  }

  static constexpr GemmKernels kKernels = {kRows,      kCols, strip_bytes,   panel_bytes, pack_strip,
                                           pack_panel, tile,  unpack_column, true};

 private:
  // A pair makes one element of 32 bits, which pack_transposed moves as a float.
  template <size_t kWidth>
  static void pack(Bf16* packed, const float* lines, size_t stride, size_t count, size_t depth) {
    constexpr size_t kPiece = 128;
    alignas(64) float rounded[kWidth * kPiece / 2];
    for (size_t begin = 0; begin < depth; begin += kPiece) {
      const size_t length = depth - begin < kPiece ? depth - begin : kPiece;
      for (size_t r = 0; r < count; ++r) {
        D::round(rounded + r * kPiece / 2, lines + r * stride + begin, length);
      }
      pack_transposed<V, kWidth>(reinterpret_cast<float*>(packed + begin * kWidth), rounded, kPiece / 2, count,
                                 pairs(length));
    }
  }
};

}  // namespace
}  // namespace bert_native
