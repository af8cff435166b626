#pragma once

#include <cstddef>

#include "kernels/gemm_kernels.h"

// Products on the tile unit of AMX: eight registers of 16 rows of 64 bytes. A tile of a result is 32 × 32 numbers in
// four of them, and two each hold 16 rows of the strip and 16 columns of the panel. The kernels are written once over a
// type U that drives the unit, so that the tests can run them on processors that have none:
//   configure(), release()        nothing else works before the one and after the other
//   zero_sum<r, c>()              sum (r, c) = 0
//   store_sum<r, c>(x, stride)    16 rows of 16 numbers of 32 bits; the stride is in bytes
//   load_left<r>(x)               16 rows of 64 bytes, one behind the other
//   load_right<c>(x)
//   add_bf16_products<r, c>()     sum (r, c) += left r · right c, a pair of bf16 after another
//   add_int8_products<r, c>()     the same of four unsigned bytes of the left and signed ones of the right
//   round(out, x, n)              n elements as bf16, to nearest, n a multiple of 16; the values of bf16_bits() for
//                                 normal numbers
// A right operand holds the depth in rows: row i has the elements 2i, 2i + 1 (bytes: 4i to 4i + 3) of each column.

namespace bert_native {
namespace {

constexpr size_t kTileRows = 16;
constexpr size_t kTileBytes = 1024;
constexpr size_t kAmxRows = 2 * kTileRows;
constexpr size_t kAmxCols = 2 * kTileRows;
constexpr size_t kSumStride = kAmxCols * sizeof(float);

template <class U, size_t kRowTiles>
void zero_sums() {
  U::template zero_sum<0, 0>();
  U::template zero_sum<0, 1>();
  if constexpr (kRowTiles == 2) {
    U::template zero_sum<1, 0>();
    U::template zero_sum<1, 1>();
  }
}

// What a strip and a panel hold for one step of the depth: two tiles, one behind the other.
template <class U, size_t kRowTiles>
void load_left(const void* tiles) {
  U::template load_left<0>(tiles);
  if constexpr (kRowTiles == 2) U::template load_left<1>(static_cast<const char*>(tiles) + kTileBytes);
}
template <class U>
void load_right(const void* tiles) {
  U::template load_right<0>(tiles);
  U::template load_right<1>(static_cast<const char*>(tiles) + kTileBytes);
}

// sums [32][32]
template <class U, size_t kRowTiles, class Number>
void store_sums(Number* sums) {
  U::template store_sum<0, 0>(sums, kSumStride);
  U::template store_sum<0, 1>(sums + kTileRows, kSumStride);
  if constexpr (kRowTiles == 2) {
    U::template store_sum<1, 0>(sums + kTileRows * kAmxCols, kSumStride);
    U::template store_sum<1, 1>(sums + kTileRows * kAmxCols + kTileRows, kSumStride);
  }
}

// The second-level cache of the processors that have the unit, in bytes.
constexpr size_t kAmxCacheBytes = size_t{2} << 20;

// The unit multiplies so fast that a group of rows has to be as large as that cache allows: at 96 rows and half of its
// peak (3.4 TFLOP/s), bf16 would read 18 GB/s of weights for each core, and a full server's memory gives a core
// about 5. For a row, a group holds two strips and two rows of f32 while it multiplies, counted here at the width of
// BERT-base.
template <class U, class Gemm>
constexpr GemmKernels amx_gemm() {
  constexpr size_t kWidth = 768;
  constexpr size_t kRowBytes = 2 * (Gemm::kRowBytesPerElement + sizeof(float)) * kWidth;
  return {.rows = kAmxRows,
          .cols = kAmxCols,
          .strip_bytes = Gemm::strip_bytes,
          .panel_bytes = Gemm::panel_bytes,
          .pack_strip = Gemm::pack_strip,
          .pack_panel = Gemm::pack_panel,
          .tile = Gemm::tile,
          .unpack_column = Gemm::unpack_column,
          .rounds_both = Gemm::kRoundsBoth,
          .group_rows = kAmxCacheBytes / kRowBytes / kAmxRows * kAmxRows,
          .begin_tiles = U::configure,
          .end_tiles = U::release};
}

}  // namespace
}  // namespace bert_native
