#pragma once

#include <cstddef>
#include <cstdint>

#include "common/compiler.h"
#include "kernels/amx/tiles.h"
#include "kernels/gemm_kernels.h"
#include "kernels/int8.h"
#include "kernels/simd/prefetch.h"

// Products of eight-bit integers on the tile unit: the integers, scales and zero points of kernels/int8.h in the
// order of tiles, and the scalar twin's operations in f32, in its order.

namespace bert_native {
namespace {

// The depth goes in steps of 64. A strip is its rows' scales and zero points, then [steps][2][16 rows][64]; a panel its
// columns' scales and negative sums, then [steps][2][16 fours][16 columns][4], filled up with zeros.
template <class U>
struct AmxInt8Gemm {
  static constexpr size_t kRowBytesPerElement = 1;
  static constexpr bool kRoundsBoth = true;
  static constexpr size_t kStep = 64, kStepBytes = 2 * kTileBytes;
  static constexpr size_t kStripHeader = kAmxRows * (sizeof(float) + sizeof(int32_t));
  static constexpr size_t kPanelHeader = kAmxCols * (sizeof(float) + sizeof(int32_t));

  static size_t steps(size_t depth) { return (depth + kStep - 1) / kStep; }
  static size_t strip_bytes(size_t depth) { return kStripHeader + steps(depth) * kStepBytes; }
  static size_t panel_bytes(size_t depth) { return kPanelHeader + steps(depth) * kStepBytes; }

  static void pack_strip(void* strip, const float* a, size_t lda, size_t rows, size_t depth) {
    float* scales = static_cast<float*>(strip);
    int32_t* zero_points = static_cast<int32_t*>(strip) + kAmxRows;
    uint8_t* data = static_cast<uint8_t*>(strip) + kStripHeader;
    for (size_t r = 0; r < kAmxRows; ++r) {
      const size_t count = r < rows ? depth : 0;
      const float* row = a + r * lda;
      const ActivationScale scale = activation_scale(row, count);
      scales[r] = scale.scale;
      zero_points[r] = scale.zero_point;
      for (size_t step = 0; step < steps(depth); ++step) {
        const size_t begin = step * kStep, left = count > begin ? count - begin : 0;
        quantize(data + step * kStepBytes + r * kStep, row + begin, scale, left < kStep ? left : kStep);
      }
    }
  }

  static void pack_panel(void* panel, const float* w, size_t ldw, size_t cols, size_t depth) {
    float* scales = static_cast<float*>(panel);
    int32_t* negative_sums = static_cast<int32_t*>(panel) + kAmxCols;
    int8_t* data = static_cast<int8_t*>(panel) + kPanelHeader;
    for (size_t col = 0; col < kAmxCols; ++col) {
      const size_t count = col < cols ? depth : 0;
      const float* row = w + col * ldw;
      const WeightScale scale(Int8Layout<kAmxRows, kAmxCols>::largest_weight<false>(row, count));
      int32_t sum = 0;
      for (size_t k = 0; k < steps(depth) * kStep; ++k) {
        const int8_t q = k < count ? scale(row[k]) : int8_t{0};
        data[panel_index(col, k)] = q;
        sum += q;
      }
      scales[col] = scale.scale;
      negative_sums[col] = -sum;
    }
  }

  static void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth,
                   bool accumulate, Ahead ahead) {
    alignas(64) int32_t sums[kAmxRows * kAmxCols];
    if (rows > kTileRows) {
      multiply<2>(sums, strip, panel, steps(depth), ahead);
    } else {
      multiply<1>(sums, strip, panel, steps(depth), ahead);
    }
    const float* row_scales = static_cast<const float*>(strip);
    const int32_t* zero_points = static_cast<const int32_t*>(strip) + kAmxRows;
    for (size_t r = 0; r < rows; ++r) {
      write_row(c + r * ldc, sums + r * kAmxCols, row_scales[r], zero_points[r], panel, accumulate);
    }
  }

  static void unpack_column(float* out, const void* panel, size_t col, size_t depth) {
    const int8_t* data = static_cast<const int8_t*>(panel) + kPanelHeader;
    for (size_t k = 0; k < depth; ++k) {
      out[k] = static_cast<float>(data[panel_index(col, k)]) * static_cast<const float*>(panel)[col];
    }
  }

 private:
  static size_t panel_index(size_t col, size_t k) {
    const size_t tile = col / kTileRows, within = k % kStep;
    return k / kStep * kStepBytes + tile * kTileBytes + (within / 4 * kTileRows + col % kTileRows) * 4 + within % 4;
  }

  // As Int8Layout::activation_scale, in integers: magnitudes are in the order of their bits, NaN above all others.
  static ActivationScale activation_scale(const float* x, size_t n) {
    uint32_t low = 0, high = 0, all = 0;
    for (size_t i = 0; i < n; ++i) {
      const uint32_t bits = f32_bits(x[i]), magnitude = bits & 0x7fffffffu, negative = 0u - (bits >> 31);
      const uint32_t below = magnitude & negative, above = magnitude & ~negative;
      low = low < below ? below : low;
      high = high < above ? above : high;
      all = all < magnitude ? magnitude : all;
    }
    if (all > 0x7f800000u) return ActivationScale(f32_from_bits(all), f32_from_bits(all));
    return ActivationScale(-f32_from_bits(low), f32_from_bits(high));
  }

  // The first `count` of kStep elements, and zeros for the rest, which meet zeros of the panel.
  static BN_ALWAYS_INLINE void quantize(uint8_t* out, const float* x, const ActivationScale& scale, size_t count) {
    if (count == kStep) return quantize_whole_step(out, x, scale);
    float row[kStep] = {};
    for (size_t k = 0; k < count; ++k) row[k] = x[k];
    quantize_whole_step(out, row, scale);
  }

  static BN_ALWAYS_INLINE void quantize_whole_step(uint8_t* BN_RESTRICT out, const float* BN_RESTRICT x,
                                                   const ActivationScale& scale) {
    const ActivationScale local = scale;
    for (size_t k = 0; k < kStep; ++k) out[k] = local(x[k]);
  }

  template <size_t kRowTiles>
  static void multiply(int32_t* sums, const void* strip, const void* panel, size_t step_count, Ahead ahead) {
    Prefetcher prefetch(ahead, panel, step_count);
    const char* a = static_cast<const char*>(strip) + kStripHeader;
    const char* w = static_cast<const char*>(panel) + kPanelHeader;
    zero_sums<U, kRowTiles>();
    for (size_t step = 0; step < step_count; ++step) {
      prefetch.step();
      load_left<U, kRowTiles>(a);
      load_right<U>(w);
      U::template add_int8_products<0, 0>();
      U::template add_int8_products<0, 1>();
      if constexpr (kRowTiles == 2) {
        U::template add_int8_products<1, 0>();
        U::template add_int8_products<1, 1>();
      }
      a += kStepBytes;
      w += kStepBytes;
    }
    store_sums<U, kRowTiles>(sums);
  }

  static void write_row(float* BN_RESTRICT c, const int32_t* BN_RESTRICT sums, float row_scale, int32_t zero_point,
                        const void* panel, bool accumulate) {
    const float* BN_RESTRICT col_scales = static_cast<const float*>(panel);
    const int32_t* BN_RESTRICT negative_sums = static_cast<const int32_t*>(panel) + kAmxCols;
    for (size_t j = 0; j < kAmxCols; ++j) {
      const float product = static_cast<float>(sums[j] + zero_point * negative_sums[j]) * row_scale * col_scales[j];
      c[j] = accumulate ? c[j] + product : product;
    }
  }
};

}  // namespace
}  // namespace bert_native
