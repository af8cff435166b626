#pragma once

#include <cstddef>
#include <cstdint>

#include "common/compiler.h"
#include "kernels/amx/tiles.h"
#include "kernels/gemm_kernels.h"
#include "kernels/half.h"
#include "kernels/simd/prefetch.h"

// Products of bf16, and of f32 as sums of bf16, on the tile unit.

namespace bert_native {
namespace {

// f32 as the sum of three numbers of bf16: eight bits each of its significand of 24, so the sum is exact (after the
// idea of Dekker 1971, who splits double precision in two). Outside [2⁻¹⁰², ∞), where a part could be subnormal, which
// the tile unit takes for zero, the first part alone counts: the upper half of the bits. The others carry the lower
// half as significands of subnormal numbers, for join_bf16x3(). So a product is off by at most 2⁻¹⁰⁹ for each such
// element, and infinity and NaN stay what they are.
struct Bf16Parts {
  uint32_t high, middle, low;
};

constexpr uint32_t kLeastSplitExponent = 127 - 102;

inline bool is_split(uint32_t bits) { return (bits >> 23 & 0xffu) - kLeastSplitExponent < 255 - kLeastSplitExponent; }

// x, which is not NaN, to the nearest bf16.
inline uint32_t nearest_bf16(float x) {
  const uint32_t bits = f32_bits(x);
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

// The same, but never to infinity.
inline uint32_t high_part(float x) {
  const uint32_t nearest = nearest_bf16(x);
  return (nearest & 0x7fffu) == 0x7f80u ? nearest - 1 : nearest;
}

inline float part_value(uint32_t bits) { return f32_from_bits(bits << 16); }

// NaN stays NaN: the quiet bit is set.
inline uint32_t upper_half(uint32_t bits) {
  const uint32_t quiet = (bits & 0x7fffffffu) > 0x7f800000u ? 0x40u : 0u;
  return bits >> 16 | quiet;
}

// A byte as the sign and the significand of a subnormal bf16, and back.
inline uint32_t hidden_byte(uint32_t byte) { return (byte & 0x80u) << 8 | (byte & 0x7fu); }
inline uint32_t shown_byte(uint32_t part) { return (part >> 8 & 0x80u) | (part & 0x7fu); }

// Without branches: loops over it become vector instructions.
BN_ALWAYS_INLINE Bf16Parts split_bf16x3(float x) {
  const uint32_t bits = f32_bits(x);
  const uint32_t high = high_part(x);
  const float rest = x - part_value(high);
  const uint32_t middle = nearest_bf16(rest);
  const uint32_t low = nearest_bf16(rest - part_value(middle));
  const bool split = is_split(bits);
  return {split ? high : upper_half(bits), split ? middle : hidden_byte(bits >> 8 & 0xffu),
          split ? low : hidden_byte(bits & 0xffu)};
}

// As two parts; what has no second one is rounded to bf16.
BN_ALWAYS_INLINE Bf16Parts split_bf16x2(float x) {
  const uint32_t bits = f32_bits(x);
  const uint32_t high = high_part(x);
  const uint32_t middle = nearest_bf16(x - part_value(high));
  const bool split = is_split(bits);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return {split ? high : nan ? upper_half(bits) : nearest_bf16(x), split ? middle : 0u, 0u};
}

// Every bit of what was split, but for the quiet bit of a NaN, which is set.
inline float join_bf16x3(Bf16Parts parts) {
  if (is_split(parts.high << 16)) return part_value(parts.high) + (part_value(parts.middle) + part_value(parts.low));
  return f32_from_bits(parts.high << 16 | shown_byte(parts.middle) << 8 | shown_byte(parts.low));
}

// kParts 1: the elements are rounded to bf16. 2, 3: they are f32 in as many parts. The depth goes in steps of 32. A
// strip is [steps][parts][2][16 rows][32], a panel [steps][parts][2][16 pairs][16 columns][2], filled up with zeros.
template <class U, size_t kParts>
struct AmxBf16Gemm {
  static constexpr size_t kRowBytesPerElement = kParts * sizeof(Bf16);
  static constexpr bool kRoundsBoth = kParts == 1;
  static constexpr size_t kStep = 32;
  static constexpr size_t kTileElements = kTileBytes / sizeof(Bf16);
  static constexpr size_t kPartElements = 2 * kTileElements;
  static constexpr size_t kStepElements = kParts * kPartElements;
  enum Part : size_t { kHigh, kMiddle, kLow };

  static size_t steps(size_t depth) { return (depth + kStep - 1) / kStep; }
  static size_t strip_bytes(size_t depth) { return steps(depth) * kStepElements * sizeof(Bf16); }
  static size_t panel_bytes(size_t depth) { return strip_bytes(depth); }

  static void pack_strip(void* strip, const float* a, size_t lda, size_t rows, size_t depth) {
    for (size_t step = 0; step < steps(depth); ++step) {
      const size_t begin = step * kStep, count = depth - begin < kStep ? depth - begin : kStep;
      Bf16* out = static_cast<Bf16*>(strip) + step * kStepElements;
      for (size_t r = 0; r < kAmxRows; ++r) pack_row(out + r * kStep, a + r * lda + begin, r < rows ? count : 0);
    }
  }

  static void pack_panel(void* panel, const float* w, size_t ldw, size_t cols, size_t depth) {
    for (size_t step = 0; step < steps(depth); ++step) {
      for (size_t col = 0; col < kAmxCols; ++col) {
        for (size_t k = step * kStep; k < (step + 1) * kStep; ++k) {
          const Bf16Parts parts = split(col < cols && k < depth ? w[col * ldw + k] : 0.0f);
          Bf16* out = static_cast<Bf16*>(panel) + panel_index(col, k);
          out[0].bits = static_cast<uint16_t>(parts.high);
          if constexpr (kParts > 1) out[kPartElements].bits = static_cast<uint16_t>(parts.middle);
          if constexpr (kParts > 2) out[2 * kPartElements].bits = static_cast<uint16_t>(parts.low);
        }
      }
    }
  }

  static void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth,
                   bool accumulate, Ahead ahead) {
    alignas(64) float sums[kAmxRows * kAmxCols];
    const Bf16* a = static_cast<const Bf16*>(strip);
    const Bf16* w = static_cast<const Bf16*>(panel);
    if (rows > kTileRows) {
      multiply<2>(sums, a, w, steps(depth), ahead);
    } else {
      multiply<1>(sums, a, w, steps(depth), ahead);
    }
    for (size_t r = 0; r < rows; ++r) write_row(c + r * ldc, sums + r * kAmxCols, accumulate);
  }

  static void unpack_column(float* out, const void* panel, size_t col, size_t depth) {
    for (size_t k = 0; k < depth; ++k) {
      const Bf16* in = static_cast<const Bf16*>(panel) + panel_index(col, k);
      if constexpr (kParts == 1) out[k] = bf16_value(in[0].bits);
      if constexpr (kParts == 2) out[k] = bf16_value(in[0].bits) + bf16_value(in[kPartElements].bits);
      if constexpr (kParts == 3) out[k] = join_bf16x3({in[0].bits, in[kPartElements].bits, in[2 * kPartElements].bits});
    }
  }

 private:
  static size_t panel_index(size_t col, size_t k) {
    const size_t tile = col / kTileRows, within = k % kStep;
    return k / kStep * kStepElements + tile * kTileElements + (within / 2 * kTileRows + col % kTileRows) * 2 +
           within % 2;
  }

  static BN_ALWAYS_INLINE Bf16Parts split(float x) {
    if constexpr (kParts == 1) return {bf16_bits(x), 0, 0};
    if constexpr (kParts == 2) return split_bf16x2(x);
    if constexpr (kParts == 3) return split_bf16x3(x);
  }

  // One row of a step, all parts of it, of which `count` elements are given.
  static BN_ALWAYS_INLINE void pack_row(Bf16* out, const float* x, size_t count) {
    if (count == kStep) return pack_whole_row(out, x);
    float row[kStep] = {};
    for (size_t k = 0; k < count; ++k) row[k] = x[k];
    pack_whole_row(out, row);
  }

  static BN_ALWAYS_INLINE void pack_whole_row(Bf16* BN_RESTRICT out, const float* BN_RESTRICT x) {
    if constexpr (kParts == 1) {
      U::round(out, x, kStep);
    } else {
      for (size_t k = 0; k < kStep; ++k) {
        const Bf16Parts parts = split(x[k]);
        out[k].bits = static_cast<uint16_t>(parts.high);
        out[k + kPartElements].bits = static_cast<uint16_t>(parts.middle);
        if constexpr (kParts > 2) out[k + 2 * kPartElements].bits = static_cast<uint16_t>(parts.low);
      }
    }
  }

  template <size_t kRowTiles>
  static void multiply(float* sums, const Bf16* a, const Bf16* w, size_t step_count, Ahead ahead) {
    Prefetcher prefetch(ahead, w, step_count);
    zero_sums<U, kRowTiles>();
    for (size_t step = 0; step < step_count; ++step) {
      prefetch.step();
      multiply_step<kRowTiles>(a, w);
      a += kStepElements;
      w += kStepElements;
    }
    store_sums<U, kRowTiles>(sums);
  }

  // From one product to the next only one operand changes; with three parts, all small products come before the large.
  template <size_t kRowTiles>
  static BN_ALWAYS_INLINE void multiply_step(const Bf16* a, const Bf16* w) {
    if constexpr (kParts == 3) {
      left<kRowTiles>(a, kLow);
      right(w, kHigh);
      add_products<kRowTiles>();
      left<kRowTiles>(a, kMiddle);
      add_products<kRowTiles>();
      right(w, kMiddle);
      add_products<kRowTiles>();
      left<kRowTiles>(a, kHigh);
      add_products<kRowTiles>();
      right(w, kLow);
      add_products<kRowTiles>();
      right(w, kHigh);
      add_products<kRowTiles>();
    } else if constexpr (kParts == 2) {
      left<kRowTiles>(a, kMiddle);
      right(w, kHigh);
      add_products<kRowTiles>();
      left<kRowTiles>(a, kHigh);
      add_products<kRowTiles>();
      right(w, kMiddle);
      add_products<kRowTiles>();
    } else {
      left<kRowTiles>(a, kHigh);
      right(w, kHigh);
      add_products<kRowTiles>();
    }
  }

  template <size_t kRowTiles>
  static void left(const Bf16* a, Part part) {
    load_left<U, kRowTiles>(a + part * kPartElements);
  }
  static void right(const Bf16* w, Part part) { load_right<U>(w + part * kPartElements); }

  template <size_t kRowTiles>
  static void add_products() {
    U::template add_bf16_products<0, 0>();
    U::template add_bf16_products<0, 1>();
    if constexpr (kRowTiles == 2) {
      U::template add_bf16_products<1, 0>();
      U::template add_bf16_products<1, 1>();
    }
  }

  static void write_row(float* BN_RESTRICT c, const float* BN_RESTRICT sums, bool accumulate) {
    for (size_t j = 0; j < kAmxCols; ++j) c[j] = accumulate ? c[j] + sums[j] : sums[j];
  }
};

}  // namespace
}  // namespace bert_native
