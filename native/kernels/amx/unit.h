#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "common/compiler.h"
#include "kernels/half.h"

namespace bert_native::amx {
namespace {

struct TileConfiguration {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);

// A constant in memory, not on the stack: compilers take ldtilecfg to read fewer bytes than it does (GCC 12), and could
// leave out stores to the others.
alignas(64) constexpr TileConfiguration kTileConfiguration;

// The unit itself. Sums are registers 0 to 3, left operands 4 and 5, right ones 6 and 7. The intrinsics are macros that
// want the numbers as they stand in the source.
struct TileUnit {
  static void configure() { _tile_loadconfig(&kTileConfiguration); }
  static void release() { _tile_release(); }

  template <size_t kRow, size_t kCol>
  static BN_ALWAYS_INLINE void zero_sum() {
    if constexpr (kRow == 0 && kCol == 0) _tile_zero(0);
    if constexpr (kRow == 0 && kCol == 1) _tile_zero(1);
    if constexpr (kRow == 1 && kCol == 0) _tile_zero(2);
    if constexpr (kRow == 1 && kCol == 1) _tile_zero(3);
  }

  template <size_t kRow, size_t kCol>
  static BN_ALWAYS_INLINE void store_sum(void* x, size_t stride) {
    if constexpr (kRow == 0 && kCol == 0) _tile_stored(0, x, stride);
    if constexpr (kRow == 0 && kCol == 1) _tile_stored(1, x, stride);
    if constexpr (kRow == 1 && kCol == 0) _tile_stored(2, x, stride);
    if constexpr (kRow == 1 && kCol == 1) _tile_stored(3, x, stride);
  }

  template <size_t kRow>
  static BN_ALWAYS_INLINE void load_left(const void* x) {
    if constexpr (kRow == 0) _tile_loadd(4, x, 64);
    if constexpr (kRow == 1) _tile_loadd(5, x, 64);
  }

  template <size_t kCol>
  static BN_ALWAYS_INLINE void load_right(const void* x) {
    if constexpr (kCol == 0) _tile_loadd(6, x, 64);
    if constexpr (kCol == 1) _tile_loadd(7, x, 64);
  }

  template <size_t kRow, size_t kCol>
  static BN_ALWAYS_INLINE void add_bf16_products() {
    if constexpr (kRow == 0 && kCol == 0) _tile_dpbf16ps(0, 4, 6);
    if constexpr (kRow == 0 && kCol == 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (kRow == 1 && kCol == 0) _tile_dpbf16ps(2, 5, 6);
    if constexpr (kRow == 1 && kCol == 1) _tile_dpbf16ps(3, 5, 7);
  }

  template <size_t kRow, size_t kCol>
  static BN_ALWAYS_INLINE void add_int8_products() {
    if constexpr (kRow == 0 && kCol == 0) _tile_dpbusd(0, 4, 6);
    if constexpr (kRow == 0 && kCol == 1) _tile_dpbusd(1, 4, 7);
    if constexpr (kRow == 1 && kCol == 0) _tile_dpbusd(2, 5, 6);
    if constexpr (kRow == 1 && kCol == 1) _tile_dpbusd(3, 5, 7);
  }

  static BN_ALWAYS_INLINE void round(Bf16* out, const float* x, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
      const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(x + i));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), reinterpret_cast<__m256i>(rounded));
    }
  }
};

}  // namespace
}  // namespace bert_native::amx
