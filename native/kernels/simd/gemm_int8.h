#pragma once

#include <cstddef>
#include <cstdint>

#include "common/compiler.h"
#include "kernels/gemm_kernels.h"
#include "kernels/int8.h"
#include "kernels/simd/gemm.h"
#include "kernels/simd/parts.h"

// Products of eight-bit integers, written once over a type D that an instruction set gives:
//   Vector            its f32 vector
//   Lanes             as many 32-bit integers; zero, load and store
//   kGemmRows         rows of a tile that its registers hold
//   kWeightLimit      the largest integer a weight may become
//   dot(sum, a, w)    in each lane: sum + Σ of the products of the four unsigned bytes of a with the signed ones of w
// The integers are exact, so the order of their sums is free; the few operations in f32 are those of the scalar twin,
// in its order: every instruction set with the same kWeightLimit gives the same bits.

namespace bert_native {
namespace {

template <class D>
constexpr size_t kInt8Lanes = D::Vector::kLanes;

template <class D>
using Int8LayoutOf = Int8Layout<D::kGemmRows, 2 * kInt8Lanes<D>>;

template <class D, size_t kRow, size_t kEnd>
struct Int8TileRows {
  typename D::Lanes left, right;
  Int8TileRows<D, kRow + 1, kEnd> next;

  BN_ALWAYS_INLINE void start(typename D::Lanes left_sums, typename D::Lanes right_sums) {
    left = left_sums;
    right = right_sums;
    next.start(left_sums, right_sums);
  }
  BN_ALWAYS_INLINE void add_products(const uint8_t* a, typename D::Lanes w_left, typename D::Lanes w_right) {
    const typename D::Lanes four = D::broadcast(a + 4 * kRow);
    left = D::dot(left, four, w_left);
    right = D::dot(right, four, w_right);
    next.add_products(a, w_left, w_right);
  }
  BN_ALWAYS_INLINE void store(float* c, size_t ldc, const float* row_scales, typename D::Vector left_scales,
                              typename D::Vector right_scales, bool accumulate) const {
    using V = typename D::Vector;
    const V row_scale = V::broadcast(row_scales[kRow]);
    V left_product = D::to_f32(left) * row_scale * left_scales;
    V right_product = D::to_f32(right) * row_scale * right_scales;
    if (accumulate) {
      left_product = V::load(c) + left_product;
      right_product = V::load(c + V::kLanes) + right_product;
    }
    left_product.store(c);
    right_product.store(c + V::kLanes);
    next.store(c + ldc, ldc, row_scales, left_scales, right_scales, accumulate);
  }
};

template <class D, size_t kEnd>
struct Int8TileRows<D, kEnd, kEnd> {
  void start(typename D::Lanes, typename D::Lanes) {}
  void add_products(const uint8_t*, typename D::Lanes, typename D::Lanes) {}
  void store(float*, size_t, const float*, typename D::Vector, typename D::Vector, bool) const {}
};

template <class D>
struct Int8Gemm {
  using V = typename D::Vector;
  using Layout = Int8LayoutOf<D>;
  static constexpr size_t kRows = D::kGemmRows, kCols = 2 * V::kLanes;

  static void pack_strip(void* strip, const float* a, size_t lda, size_t rows, size_t depth) {
    // Four integers make one element of 32 bits, which pack_transposed moves as a float.
    constexpr size_t kPiece = 256;
    alignas(64) float fours[kRows * kPiece / 4];
    uint8_t* data = Layout::strip_data(strip);
    float inverses[kRows];
    for (size_t r = 0; r < kRows; ++r) {
      const Int8Scale scale(r < rows ? largest(a + r * lda, depth) : 0.0f, kActivationLimit);
      Layout::scales(strip)[r] = scale.scale;
      inverses[r] = scale.inverse;
    }
    for (size_t begin = 0; begin < depth; begin += kPiece) {
      const size_t count = depth - begin < kPiece ? depth - begin : kPiece;
      for (size_t r = 0; r < rows; ++r) {
        quantize(reinterpret_cast<uint8_t*>(fours + r * kPiece / 4), a + r * lda + begin, inverses[r], count);
      }
      pack_transposed<V, kRows>(reinterpret_cast<float*>(data + begin * kRows), fours, kPiece / 4, rows,
                                (count + 3) / 4);
    }
  }

  static void pack_panel(void* panel, const float* w, size_t ldw, size_t cols, size_t depth) {
    constexpr size_t kPiece = 256;
    alignas(64) float fours[kCols * kPiece / 4];
    int8_t* data = Layout::panel_data(panel);
    float inverses[kCols];
    int32_t sums[kCols] = {};
    for (size_t c = 0; c < kCols; ++c) {
      const Int8Scale scale(c < cols ? largest(w + c * ldw, depth) : 0.0f, D::kWeightLimit);
      Layout::scales(panel)[c] = scale.scale;
      inverses[c] = scale.inverse;
    }
    for (size_t begin = 0; begin < depth; begin += kPiece) {
      const size_t count = depth - begin < kPiece ? depth - begin : kPiece;
      for (size_t c = 0; c < cols; ++c) {
        auto* quantized = reinterpret_cast<int8_t*>(fours + c * kPiece / 4);
        sums[c] += quantize_weights(quantized, w + c * ldw + begin, inverses[c], count);
      }
      pack_transposed<V, kCols>(reinterpret_cast<float*>(data + begin * kCols), fours, kPiece / 4, cols,
                                (count + 3) / 4);
    }
    for (size_t c = 0; c < kCols; ++c) Layout::corrections(panel)[c] = -kActivationOffset * sums[c];
  }

  template <size_t kUsed>
  static void tile_of_rows(float* c, size_t ldc, const void* strip, const void* panel, size_t depth, bool accumulate) {
    const uint8_t* a = Layout::strip_data(strip);
    const int8_t* w = Layout::panel_data(panel);
    const int32_t* corrections = Layout::corrections(panel);
    Int8TileRows<D, 0, kUsed> tile;
    tile.start(D::load(corrections), D::load(corrections + V::kLanes));
    for (size_t k = 0; k < depth; k += 4) {
      tile.add_products(a, D::load(w), D::load(w + 4 * V::kLanes));
      a += 4 * kRows;
      w += 4 * kCols;
    }
    const float* scales = Layout::scales(panel);
    tile.store(c, ldc, Layout::scales(strip), V::load(scales), V::load(scales + V::kLanes), accumulate);
  }

  template <size_t kUsed = kRows>
  static void tile_up_to(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth,
                         bool accumulate) {
    if constexpr (kUsed > 1) {
      if (rows < kUsed) return tile_up_to<kUsed - 1>(c, ldc, strip, panel, rows, depth, accumulate);
    }
    tile_of_rows<kUsed>(c, ldc, strip, panel, depth, accumulate);
  }

  static void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth,
                   bool accumulate) {
    tile_up_to(c, ldc, strip, panel, rows, depth, accumulate);
  }

  static constexpr GemmKernels kKernels = {kRows,      kCols, Layout::strip_bytes,  Layout::panel_bytes, pack_strip,
                                           pack_panel, tile,  Layout::unpack_column};

 private:
  // The largest magnitude of a row; NaN if it holds one.
  static float largest(const float* x, size_t n) {
    const V lanes = accumulate_largest(x, n);
    float values[V::kLanes];
    lanes.store(values);
    float result = 0.0f;
    for (const float value : values) {
      if (!(value <= result)) result = value;
      if (value != value) return value;
    }
    return result;
  }
  static V accumulate_largest(const float* x, size_t n) {
    return accumulate(
        n, V::broadcast(0.0f), [&](V most, auto part, size_t i) { return max_or_nan(most, abs(part.load(x + i))); },
        [](V a, V b) { return max_or_nan(a, b); });
  }

  // Up to the next multiple of four bytes is filled with zeros.
  static void quantize(uint8_t* BN_RESTRICT out, const float* BN_RESTRICT x, float inverse, size_t n) {
    for (size_t i = 0; i < n; ++i) {
      out[i] = static_cast<uint8_t>(rounded_bits(x[i] * inverse) + static_cast<uint32_t>(kActivationOffset));
    }
    for (size_t i = n; i % 4 != 0; ++i) out[i] = static_cast<uint8_t>(kActivationOffset);
  }

  // The same for weights. Returns their sum.
  static int32_t quantize_weights(int8_t* BN_RESTRICT out, const float* BN_RESTRICT x, float inverse, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; ++i) {
      out[i] = int8_of(x[i] * inverse);
      sum += out[i];
    }
    for (size_t i = n; i % 4 != 0; ++i) out[i] = 0;
    return sum;
  }
};

}  // namespace
}  // namespace bert_native
