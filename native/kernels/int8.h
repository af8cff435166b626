#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/half.h"

// Eight-bit integers for products, the same on every instruction set. A weight w becomes round(w / scale) of
// [-127, 127] with one scale for each output. An activation x becomes round(x / scale) + zero_point of [0, 255] with
// one scale and zero point for each row: most processors multiply unsigned by signed, and activations lie unevenly
// about zero. The surplus zero_point · Σ w is taken off afterwards. In an unnamed namespace, so that code compiled for
// wide instructions may use it too.

namespace bert_native {
namespace {

constexpr int kWeightLimit = 127;

// Rows whose values are all as good as zero have scale 0; values that are not finite give a scale that is not either,
// so that they show in the product.
constexpr float kLeastRange = 0x1p-100f;

// The integer nearest to x, ties to even: from 1.5 · 2²³ on the spacing of f32 is 1. |x| < 2²².
inline int32_t rounded(float x) { return static_cast<int32_t>(f32_bits(x + 12582912.0f) - 0x4b400000u); }

// How the activations of a row become integers.
struct ActivationScale {
  float scale = 0, inverse = 0;
  int32_t zero_point = 0;

  ActivationScale() = default;
  // For values of [low, high], low ≤ 0 ≤ high.
  ActivationScale(float low, float high) {
    const float range = high - low;
    if (range < kLeastRange) return;
    scale = range / 255.0f;
    if (!(scale < 0x1p127f)) return;  // infinity or NaN: the integers do not matter
    inverse = 255.0f / range;
    zero_point = rounded(-low * inverse);
  }

  uint8_t operator()(float x) const {
    const int32_t q = rounded(x * inverse) + zero_point;
    return static_cast<uint8_t>(q < 255 ? q : 255);  // two roundings may add up to one too many
  }
};

// How the weights of an output become integers; `largest` is the largest magnitude among them.
struct WeightScale {
  float scale, inverse;

  explicit WeightScale(float largest) : scale(largest / kWeightLimit), inverse(kWeightLimit / largest) {
    if (largest < kLeastRange) scale = inverse = 0.0f;
  }

  int8_t operator()(float w) const { return static_cast<int8_t>(rounded(w * inverse)); }
};

constexpr size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// A strip: the scales and the zero points of its rows, then the integers [depth / 4][rows][4]; a panel: the scales and
// the negative sums of its columns, then the integers [depth / 4][cols][4]. Depth is filled up with what adds nothing.
template <size_t kRows, size_t kCols>
struct Int8Layout {
  static constexpr size_t kStripHeader = round_up(kRows * (sizeof(float) + sizeof(int32_t)), 64);
  static constexpr size_t kPanelHeader = kCols * (sizeof(float) + sizeof(int32_t));

  static size_t strip_bytes(size_t depth) { return round_up(kStripHeader + kRows * round_up(depth, 4), 64); }
  static size_t panel_bytes(size_t depth) { return kPanelHeader + kCols * round_up(depth, 4); }

  static float* scales(void* packed) { return static_cast<float*>(packed); }
  static const float* scales(const void* packed) { return static_cast<const float*>(packed); }
  static int32_t* zero_points(void* strip) { return static_cast<int32_t*>(strip) + kRows; }
  static const int32_t* zero_points(const void* strip) { return static_cast<const int32_t*>(strip) + kRows; }
  static int32_t* negative_sums(void* panel) { return static_cast<int32_t*>(panel) + kCols; }
  static const int32_t* negative_sums(const void* panel) { return static_cast<const int32_t*>(panel) + kCols; }
  static uint8_t* strip_data(void* strip) { return static_cast<uint8_t*>(strip) + kStripHeader; }
  static const uint8_t* strip_data(const void* strip) { return static_cast<const uint8_t*>(strip) + kStripHeader; }
  static int8_t* panel_data(void* panel) { return static_cast<int8_t*>(panel) + kPanelHeader; }
  static const int8_t* panel_data(const void* panel) { return static_cast<const int8_t*>(panel) + kPanelHeader; }

  // The range of a row, with zero in it.
  static ActivationScale activation_scale(const float* x, size_t n) {
    float low = 0.0f, high = 0.0f;
    for (size_t k = 0; k < n; ++k) {
      if (x[k] != x[k]) return ActivationScale(x[k], x[k]);
      if (x[k] < low) low = x[k];
      if (x[k] > high) high = x[k];
    }
    return ActivationScale(low, high);
  }

  // kBoundedPairs: two neighbours' magnitudes add up to 128 at most, for processors that sum two products in sixteen
  // bits: 255 · 128 < 2¹⁵.
  template <bool kBoundedPairs>
  static float largest_weight(const float* row, size_t depth) {
    float largest = 0.0f;
    for (size_t k = 0; k < depth; k += kBoundedPairs ? 2 : 1) {
      float magnitude = row[k] < 0.0f ? -row[k] : row[k];
      if (kBoundedPairs && k + 1 < depth) magnitude += row[k + 1] < 0.0f ? -row[k + 1] : row[k + 1];
      if (!(magnitude <= largest)) largest = magnitude;
      if (magnitude != magnitude) break;
    }
    return largest;
  }

  // Packs a panel; the work of loading, done once.
  template <bool kBoundedPairs>
  static void pack_panel(void* panel, const float* w, size_t ldw, size_t cols, size_t depth) {
    int8_t* data = panel_data(panel);
    const size_t padded = round_up(depth, 4);
    for (size_t c = 0; c < kCols; ++c) {
      const float* row = w + c * ldw;
      const WeightScale scale(c < cols ? largest_weight<kBoundedPairs>(row, depth) : 0.0f);
      int32_t sum = 0;
      for (size_t k = 0; k < padded; ++k) {
        const int8_t q = c < cols && k < depth ? scale(row[k]) : int8_t{0};
        data[(k / 4 * kCols + c) * 4 + k % 4] = q;
        sum += q;
      }
      scales(panel)[c] = scale.scale;
      negative_sums(panel)[c] = -sum;
    }
  }

  static void unpack_column(float* out, const void* panel, size_t col, size_t depth) {
    const int8_t* data = panel_data(panel);
    for (size_t k = 0; k < depth; ++k) {
      out[k] = static_cast<float>(data[(k / 4 * kCols + col) * 4 + k % 4]) * scales(panel)[col];
    }
  }
};

}  // namespace
}  // namespace bert_native
