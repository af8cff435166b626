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
//   Lanes             as many 32-bit integers; zero, load, add, multiply, to_f32, broadcast of an integer or four bytes
//   kGemmRows         rows of a tile that its registers hold
//   kBoundedPairs     whether dot() sums two products in sixteen bits
//   kSurplus          what is taken off activations and zero points: 128 where both factors are signed, or 0
//   load_column(a)    four bytes of each row of a strip; row<i>() of it: those of one row
//   dot(sum, a, w)    in each lane: sum + Σ of the products of the four bytes of a row with the signed ones of w
// The integers are exact, so the order of their sums is free; the few operations in f32 are those of the scalar twin,
// in its order: every instruction set with the same kBoundedPairs gives the same bits.

namespace bert_native {
namespace {

template <class D>
constexpr size_t kInt8Lanes = D::Vector::kLanes;

template <class D>
using Int8LayoutOf = Int8Layout<D::kGemmRows, 2 * kInt8Lanes<D>>;

// What a panel says of its columns.
template <class D>
struct Int8Columns {
  typename D::Lanes left_negative_sums, right_negative_sums;
  typename D::Vector left_scales, right_scales;
};

template <class D, size_t kRow, size_t kEnd>
struct Int8TileRows {
  typename D::Lanes left, right;
  Int8TileRows<D, kRow + 1, kEnd> next;

  BN_ALWAYS_INLINE void clear() {
    left = right = D::zero();
    next.clear();
  }
  template <class Weights>
  BN_ALWAYS_INLINE void add_products(const typename D::Column& a, Weights w_left, Weights w_right) {
    const auto four = D::template row<kRow>(a);
    left = D::dot(left, four, w_left);
    right = D::dot(right, four, w_right);
    next.add_products(a, w_left, w_right);
  }
  BN_ALWAYS_INLINE void store(float* c, size_t ldc, const float* row_scales, const int32_t* zero_points,
                              const Int8Columns<D>& columns, bool accumulate) const {
    using V = typename D::Vector;
    const V row_scale = V::broadcast(row_scales[kRow]);
    const typename D::Lanes zero_point = D::broadcast(zero_points[kRow]);
    const auto product = [&](typename D::Lanes sum, typename D::Lanes negative_sum, V scale) {
      return D::to_f32(D::add(sum, D::multiply(zero_point, negative_sum))) * row_scale * scale;
    };
    V left_product = product(left, columns.left_negative_sums, columns.left_scales);
    V right_product = product(right, columns.right_negative_sums, columns.right_scales);
    if (accumulate) {
      left_product = V::load(c) + left_product;
      right_product = V::load(c + V::kLanes) + right_product;
    }
    left_product.store(c);
    right_product.store(c + V::kLanes);
    next.store(c + ldc, ldc, row_scales, zero_points, columns, accumulate);
  }
};

template <class D, size_t kEnd>
struct Int8TileRows<D, kEnd, kEnd> {
  void clear() {}
  template <class Weights>
  void add_products(const typename D::Column&, Weights, Weights) {}
  void store(float*, size_t, const float*, const int32_t*, const Int8Columns<D>&, bool) const {}
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
    ActivationScale row_scales[kRows];
    for (size_t r = 0; r < kRows; ++r) {
      if (r < rows) row_scales[r] = activation_scale(a + r * lda, depth);
      Layout::scales(strip)[r] = row_scales[r].scale;
      Layout::zero_points(strip)[r] = row_scales[r].zero_point - D::kSurplus;
    }
    for (size_t begin = 0; begin < depth; begin += kPiece) {
      const size_t count = depth - begin < kPiece ? depth - begin : kPiece;
      for (size_t r = 0; r < rows; ++r) {
        quantize(reinterpret_cast<uint8_t*>(fours + r * kPiece / 4), a + r * lda + begin, row_scales[r], count);
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
      const WeightScale scale(c < cols ? largest_weight(w + c * ldw, depth) : 0.0f);
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
    for (size_t c = 0; c < kCols; ++c) Layout::negative_sums(panel)[c] = -sums[c];
  }

  template <size_t kUsed>
  static void tile_of_rows(float* c, size_t ldc, const void* strip, const void* panel, size_t depth, bool accumulate,
                           Ahead ahead) {
    const uint8_t* a = Layout::strip_data(strip);
    const int8_t* w = Layout::panel_data(panel);
    Prefetcher prefetch(ahead, panel, (depth + 3) / 4);
    Int8TileRows<D, 0, kUsed> tile;
    tile.clear();
    for (size_t k = 0; k < depth; k += 4) {
      prefetch.step();
      tile.add_products(D::load_column(a), D::load(w), D::load(w + 4 * V::kLanes));
      a += 4 * kRows;
      w += 4 * kCols;
    }
    const float* scales = Layout::scales(panel);
    const int32_t* negative_sums = Layout::negative_sums(panel);
    tile.store(c, ldc, Layout::scales(strip), Layout::zero_points(strip),
               Int8Columns<D>{D::load(negative_sums), D::load(negative_sums + V::kLanes), V::load(scales),
                              V::load(scales + V::kLanes)},
               accumulate);
  }

  static void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth,
                   bool accumulate, Ahead ahead) {
    with_row_count<kRows>(rows,
                          [&]<size_t kUsed>() { tile_of_rows<kUsed>(c, ldc, strip, panel, depth, accumulate, ahead); });
  }

  static constexpr GemmKernels kKernels = {kRows,      kCols, Layout::strip_bytes,  Layout::panel_bytes, pack_strip,
                                           pack_panel, tile,  Layout::unpack_column};

 private:
  // As Layout::activation_scale.
  static ActivationScale activation_scale(const float* x, size_t n) {
    const V zero = V::broadcast(0.0f);
    const auto larger = [](V a, V b) { return max_or_nan(a, b); };
    const float high = most(accumulate<V>(
        n, zero, [&](V sum, auto part, size_t i) { return max_or_nan(sum, part.load(x + i)); }, larger));
    const float minus_low = most(accumulate<V>(
        n, zero, [&](V sum, auto part, size_t i) { return max_or_nan(sum, -part.load(x + i)); }, larger));
    return ActivationScale(-minus_low, high);
  }

  // The largest lane; NaN if one is.
  static float most(V x) {
    float lanes[V::kLanes];
    x.store(lanes);
    float result = lanes[0];
    for (const float lane : lanes) {
      if (!(lane <= result)) result = lane;
      if (lane != lane) return lane;
    }
    return result;
  }

  // Up to the next multiple of four bytes is filled with zeros.
  static void quantize(uint8_t* BN_RESTRICT out, const float* BN_RESTRICT x, const ActivationScale& scale, size_t n) {
    const ActivationScale local = scale;
    for (size_t i = 0; i < n; ++i) out[i] = static_cast<uint8_t>(local(x[i]) - D::kSurplus);
    for (size_t i = n; i % 4 != 0; ++i) out[i] = 0;
  }

  // As Layout::largest_weight.
  static float largest_weight(const float* x, size_t n) {
    constexpr size_t kPairs = 128;
    const V zero = V::broadcast(0.0f);
    const auto largest = [zero](const float* values, size_t count) {
      return accumulate<V>(
          count, zero, [&](V sum, auto part, size_t i) { return max_or_nan(sum, abs(part.load(values + i))); },
          [](V a, V b) { return max_or_nan(a, b); });
    };
    if constexpr (!D::kBoundedPairs) return most(largest(x, n));
    V result = zero;
    for (size_t begin = 0; begin < n; begin += 2 * kPairs) {
      const size_t count = n - begin < 2 * kPairs ? n - begin : 2 * kPairs;
      float sums[kPairs];
      for (size_t i = 0; i < count / 2; ++i) sums[i] = magnitude(x[begin + 2 * i]) + magnitude(x[begin + 2 * i + 1]);
      if (count % 2 == 1) sums[count / 2] = x[begin + count - 1];
      result = max_or_nan(result, largest(sums, (count + 1) / 2));
    }
    return most(result);
  }

  static float magnitude(float x) { return x < 0.0f ? -x : x; }

  // As quantize, for weights. Returns their sum.
  static int32_t quantize_weights(int8_t* BN_RESTRICT out, const float* BN_RESTRICT x, float inverse, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; ++i) {
      out[i] = static_cast<int8_t>(rounded(x[i] * inverse));
      sum += out[i];
    }
    for (size_t i = n; i % 4 != 0; ++i) out[i] = 0;
    return sum;
  }
};

}  // namespace
}  // namespace bert_native
