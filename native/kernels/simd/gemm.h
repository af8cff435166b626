#pragma once

#include <cstddef>

#include "common/compiler.h"
#include "kernels/gemm_kernels.h"
#include "kernels/half.h"
#include "kernels/simd/prefetch.h"

// Register blocking after Goto & van de Geijn 2008: a tile of C stays in registers while a strip of A and a panel of W
// pass by, each step an outer product of one column of the strip with one row of the panel.

namespace bert_native {
namespace {

template <class V>
constexpr size_t kGemmCols = 2 * V::kLanes;

// packed[k][kWidth] = rows[r][k] for r < count, zero for the rest. In blocks of 16 columns, so that each cache line of
// the input is read once, and written 4×4 elements at a time.
template <class V, size_t kWidth>
void pack_transposed(float* packed, const float* rows, size_t stride, size_t count, size_t k) {
  constexpr size_t kBlock = 16;
  const size_t count_by_4 = count & ~size_t{3};
  for (size_t begin = 0; begin < k; begin += kBlock) {
    const size_t end = k - begin < kBlock ? k : begin + kBlock;
    const size_t end_by_4 = begin + ((end - begin) & ~size_t{3});
    for (size_t r = 0; r < count_by_4; r += 4) {
      const float* in = rows + r * stride;
      float* out = packed + r;
      size_t i = begin;
      for (; i < end_by_4; i += 4) V::transpose_4x4(out + i * kWidth, kWidth, in + i, stride);
      for (; i < end; ++i) {
        for (size_t j = 0; j < 4; ++j) out[i * kWidth + j] = in[j * stride + i];
      }
    }
    for (size_t r = count_by_4; r < kWidth; ++r) {
      for (size_t i = begin; i < end; ++i) packed[i * kWidth + r] = r < count ? rows[r * stride + i] : 0.0f;
    }
  }
}

template <class V>
void gemm_pack_strip_f32(float* packed, const float* a, size_t lda, size_t rows, size_t k) {
  pack_transposed<V, V::kGemmRows>(packed, a, lda, rows, k);
}

template <class V>
void gemm_pack_panel_f32(float* packed, const float* w, size_t ldw, size_t cols, size_t k) {
  pack_transposed<V, kGemmCols<V>>(packed, w, ldw, cols, k);
}

template <class V>
void gemm_pack_panel_transposed_f32(float* packed, const float* v, size_t ldv, size_t cols, size_t k) {
  const V zero = V::broadcast(0.0f);
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < kGemmCols<V>; j += V::kLanes) {
      const float* in = v + i * ldv + j;
      const V part = j + V::kLanes <= cols ? V::load(in) : j < cols ? V::load_first(in, cols - j, zero) : zero;
      part.store(packed + i * kGemmCols<V> + j);
    }
  }
}

// Rows kRow to kEnd - 1 of a tile, one register for each half of a row. A recursive structure instead of an array:
// every compiler here keeps its members in registers from the first load to the last store.
template <class V, size_t kRow, size_t kEnd>
struct TileRows {
  V left, right;
  TileRows<V, kRow + 1, kEnd> next;

  BN_ALWAYS_INLINE void clear() {
    left = right = V::broadcast(0.0f);
    next.clear();
  }
  BN_ALWAYS_INLINE void add(const float* c, size_t ldc) {
    left = V::load(c) + left;
    right = V::load(c + V::kLanes) + right;
    next.add(c + ldc, ldc);
  }
  BN_ALWAYS_INLINE void store(float* c, size_t ldc) const {
    left.store(c);
    right.store(c + V::kLanes);
    next.store(c + ldc, ldc);
  }
  BN_ALWAYS_INLINE void add_outer_product(typename V::Column a, V panel_left, V panel_right) {
    left = V::template fma_row<kRow>(a, panel_left, left);
    right = V::template fma_row<kRow>(a, panel_right, right);
    next.add_outer_product(a, panel_left, panel_right);
  }
};

template <class V, size_t kEnd>
struct TileRows<V, kEnd, kEnd> {
  void clear() {}
  void add(const float*, size_t) {}
  void store(float*, size_t) const {}
  void add_outer_product(typename V::Column, V, V) {}
};

// Eight or sixteen weights as f32, from each form in which they are kept.
template <class V>
BN_ALWAYS_INLINE V load_widened(const float* x) {
  return V::load(x);
}
template <class V>
BN_ALWAYS_INLINE V load_widened(const Bf16* x) {
  return V::from_bf16(&x->bits);
}
template <class V>
BN_ALWAYS_INLINE V load_widened(const F16* x) {
  return V::from_f16(&x->bits);
}

template <class V, size_t kRows, class Element>
void gemm_tile_of_rows(float* c, size_t ldc, const float* strip, const Element* panel, size_t k, bool accumulate,
                       Ahead ahead) {
  Prefetcher prefetch(ahead, panel, k);
  for (size_t begin = 0; begin < k; begin += kGemmSumLength) {
    const size_t end = k - begin < kGemmSumLength ? k : begin + kGemmSumLength;
    TileRows<V, 0, kRows> tile;
    tile.clear();
    for (size_t i = begin; i < end; ++i) {
      prefetch.step();
      tile.add_outer_product(V::load_column(strip), load_widened<V>(panel), load_widened<V>(panel + V::kLanes));
      strip += V::kGemmRows;
      panel += kGemmCols<V>;
    }
    if (accumulate || begin > 0) tile.add(c, ldc);
    tile.store(c, ldc);
  }
}

// Calls body<n>() with n = rows, at most kMost: a tile is compiled for each number of rows, so that a few cost no more
// than they are. A full tile is found first.
template <size_t kMost, class Body>
BN_ALWAYS_INLINE void with_row_count(size_t rows, const Body& body) {
  if constexpr (kMost > 1) {
    if (rows < kMost) return with_row_count<kMost - 1>(rows, body);
  }
  body.template operator()<kMost>();
}

template <class V, class Element>
void gemm_tile(float* c, size_t ldc, const float* strip, const Element* panel, size_t rows, size_t k, bool accumulate,
               Ahead ahead) {
  with_row_count<V::kGemmRows>(
      rows, [&]<size_t kRows>() { gemm_tile_of_rows<V, kRows>(c, ldc, strip, panel, k, accumulate, ahead); });
}

template <class V>
void gemm_tile_f32(float* c, size_t ldc, const float* strip, const float* panel, size_t rows, size_t k,
                   bool accumulate) {
  gemm_tile<V>(c, ldc, strip, panel, rows, k, accumulate, {});
}

// Weights kept as Element, multiplied as f32: the panel of f32 with each element made narrower.
template <class V, class Element>
struct WidenedGemm {
  static constexpr size_t kCols = kGemmCols<V>;

  static size_t strip_bytes(size_t depth) { return V::kGemmRows * depth * sizeof(float); }
  static size_t panel_bytes(size_t depth) { return kCols * depth * sizeof(Element); }

  static void pack_strip(void* strip, const float* a, size_t lda, size_t rows, size_t depth) {
    gemm_pack_strip_f32<V>(static_cast<float*>(strip), a, lda, rows, depth);
  }

  static void pack_panel(void* panel, const float* w, size_t ldw, size_t cols, size_t depth) {
    if constexpr (sizeof(Element) == sizeof(float)) {
      gemm_pack_panel_f32<V>(static_cast<float*>(panel), w, ldw, cols, depth);
    } else {
      constexpr size_t kPiece = 64;
      float piece[kPiece * kCols];
      Element* out = static_cast<Element*>(panel);
      for (size_t k = 0; k < depth; k += kPiece) {
        const size_t count = depth - k < kPiece ? depth - k : kPiece;
        gemm_pack_panel_f32<V>(piece, w + k, ldw, cols, count);
        narrow(out + k * kCols, piece, count * kCols);
      }
    }
  }

  static void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth,
                   bool accumulate, Ahead ahead) {
    gemm_tile<V>(c, ldc, static_cast<const float*>(strip), static_cast<const Element*>(panel), rows, depth, accumulate,
                 ahead);
  }

  static void unpack_column(float* out, const void* panel, size_t col, size_t depth) {
    const Element* in = static_cast<const Element*>(panel) + col;
    for (size_t k = 0; k < depth; ++k) {
      Element lanes[V::kLanes] = {in[k * kCols]};
      load_widened<V>(lanes).store_first(out + k, 1);
    }
  }

  static constexpr GemmKernels kKernels = {V::kGemmRows, kCols,      strip_bytes, panel_bytes,
                                           pack_strip,   pack_panel, tile,        unpack_column};

 private:
  static void narrow(Bf16* out, const float* x, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i].bits = bf16_bits(x[i]);
  }
  static void narrow(F16* out, const float* x, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i].bits = f16_bits(x[i]);
  }
};

}  // namespace
}  // namespace bert_native
