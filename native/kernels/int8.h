#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/half.h"

// Eight-bit integers for products, the same on every instruction set: a weight w becomes round(w / scale) of
// [-limit, limit] with one scale for each output; an activation the same of [-127, 127] with one scale for each row,
// kept plus 128, because the processors multiply unsigned by signed. The surplus 128 · Σ w is taken off by the panel's
// corrections. In an unnamed namespace, so that code compiled for wide instructions may use it too.

namespace bert_native {
namespace {

constexpr int kActivationLimit = 127;
constexpr int kActivationOffset = 128;

// What turns values of at most `largest` into integers of at most `limit`, and back. All zeros have scale 0; a largest
// value that is not finite gives a scale that is not either, so that it shows in the product.
struct Int8Scale {
  float scale;
  float inverse;

  Int8Scale(float largest, int limit)
      : scale(largest / static_cast<float>(limit)), inverse(static_cast<float>(limit) / largest) {
    if (largest < 0x1p-100f) scale = inverse = 0.0f;
  }
};

// The integer nearest to x, ties to even, in the low bits: from 1.5 · 2²³ on the spacing of f32 is 1. |x| < 2²².
inline uint32_t rounded_bits(float x) { return f32_bits(x + 12582912.0f); }

inline int8_t int8_of(float x) { return static_cast<int8_t>(static_cast<uint8_t>(rounded_bits(x))); }

constexpr size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

// A strip: the scales of its rows, then the integers [depth / 4][rows][4]; a panel: the scales and the corrections of
// its columns, then the integers [depth / 4][cols][4]. Depth is filled up with what adds nothing.
template <size_t kRows, size_t kCols>
struct Int8Layout {
  static constexpr size_t kStripHeader = round_up(kRows * sizeof(float), 64);
  static constexpr size_t kPanelHeader = kCols * (sizeof(float) + sizeof(int32_t));

  static size_t strip_bytes(size_t depth) { return round_up(kStripHeader + kRows * round_up(depth, 4), 64); }
  static size_t panel_bytes(size_t depth) { return kPanelHeader + kCols * round_up(depth, 4); }

  static float* scales(void* packed) { return static_cast<float*>(packed); }
  static const float* scales(const void* packed) { return static_cast<const float*>(packed); }
  static int32_t* corrections(void* panel) { return static_cast<int32_t*>(panel) + kCols; }
  static const int32_t* corrections(const void* panel) { return static_cast<const int32_t*>(panel) + kCols; }
  static uint8_t* strip_data(void* strip) { return static_cast<uint8_t*>(strip) + kStripHeader; }
  static const uint8_t* strip_data(const void* strip) { return static_cast<const uint8_t*>(strip) + kStripHeader; }
  static int8_t* panel_data(void* panel) { return static_cast<int8_t*>(panel) + kPanelHeader; }
  static const int8_t* panel_data(const void* panel) { return static_cast<const int8_t*>(panel) + kPanelHeader; }

  // Packs a panel; the work of loading, done once.
  template <int kWeightLimit>
  static void pack_panel(void* panel, const float* w, size_t ldw, size_t cols, size_t depth) {
    int8_t* data = panel_data(panel);
    const size_t padded = round_up(depth, 4);
    for (size_t c = 0; c < kCols; ++c) {
      const float* row = w + c * ldw;
      float largest = 0.0f;
      for (size_t k = 0; c < cols && k < depth; ++k) {
        const float magnitude = row[k] < 0.0f ? -row[k] : row[k];
        if (!(magnitude <= largest)) largest = magnitude;
        if (magnitude != magnitude) break;
      }
      const Int8Scale scale(largest, kWeightLimit);
      int32_t sum = 0;
      for (size_t k = 0; k < padded; ++k) {
        const int8_t q = c < cols && k < depth ? int8_of(row[k] * scale.inverse) : int8_t{0};
        data[(k / 4 * kCols + c) * 4 + k % 4] = q;
        sum += q;
      }
      scales(panel)[c] = scale.scale;
      corrections(panel)[c] = -kActivationOffset * sum;
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
