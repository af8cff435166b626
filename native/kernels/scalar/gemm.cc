#include "common/compiler.h"
#include "kernels/kernel_table.h"
#include "kernels/scalar/kernels.h"

namespace bert_native::scalar {

namespace {

// packed[k][kWidth] = rows[r][k] for r < count, zero for the rest.
template <size_t kWidth>
void pack_transposed(float* packed, const float* rows, size_t stride, size_t count, size_t k) {
  for (size_t i = 0; i < k; ++i) {
    for (size_t r = 0; r < kWidth; ++r) packed[i * kWidth + r] = r < count ? rows[r * stride + i] : 0.0f;
  }
}

template <size_t kRows>
void tile(float* BN_RESTRICT c, size_t ldc, const float* BN_RESTRICT strip, const float* BN_RESTRICT panel, size_t k,
          bool accumulate) {
  for (size_t begin = 0; begin < k; begin += kGemmSumLength) {
    const size_t end = k - begin < kGemmSumLength ? k : begin + kGemmSumLength;
    float sums[kRows][kGemmCols] = {};
    for (size_t i = begin; i < end; ++i) {
      for (size_t r = 0; r < kRows; ++r) {
        const float a = strip[i * kGemmRows + r];
        for (size_t j = 0; j < kGemmCols; ++j) sums[r][j] += a * panel[i * kGemmCols + j];
      }
    }
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t j = 0; j < kGemmCols; ++j) {
        c[r * ldc + j] = accumulate || begin > 0 ? c[r * ldc + j] + sums[r][j] : sums[r][j];
      }
    }
  }
}

}  // namespace

void gemm_pack_strip_f32(float* packed, const float* a, size_t lda, size_t rows, size_t k) {
  pack_transposed<kGemmRows>(packed, a, lda, rows, k);
}

void gemm_pack_panel_f32(float* packed, const float* w, size_t ldw, size_t cols, size_t k) {
  pack_transposed<kGemmCols>(packed, w, ldw, cols, k);
}

void gemm_pack_panel_transposed_f32(float* packed, const float* v, size_t ldv, size_t cols, size_t k) {
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < kGemmCols; ++j) packed[i * kGemmCols + j] = j < cols ? v[i * ldv + j] : 0.0f;
  }
}

void gemm_tile_f32(float* c, size_t ldc, const float* strip, const float* panel, size_t rows, size_t k,
                   bool accumulate) {
  static constexpr decltype(&tile<1>) kTiles[kGemmRows] = {tile<1>, tile<2>, tile<3>, tile<4>};
  kTiles[rows - 1](c, ldc, strip, panel, k, accumulate);
}

}  // namespace bert_native::scalar
