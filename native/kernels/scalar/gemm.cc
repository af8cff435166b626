#include "common/compiler.h"
#include "kernels/half.h"
#include "kernels/kernel_table.h"
#include "kernels/scalar/kernels.h"

namespace bert_native::scalar {

namespace {

float widen(float x) { return x; }
float widen(Bf16 x) { return bf16_value(x.bits); }
float widen(F16 x) {
  float value;
  f16_to_f32(&value, &x.bits, 1);
  return value;
}

template <typename Element>
Element narrow(float x);
template <>
float narrow(float x) {
  return x;
}
template <>
Bf16 narrow(float x) {
  return {bf16_bits(x)};
}
template <>
F16 narrow(float x) {
  return {f16_bits(x)};
}

// packed[k][kWidth] = rows[r][k] for r < count, zero for the rest.
template <size_t kWidth, typename Element>
void pack_transposed(Element* packed, const float* rows, size_t stride, size_t count, size_t k) {
  for (size_t i = 0; i < k; ++i) {
    for (size_t r = 0; r < kWidth; ++r) {
      packed[i * kWidth + r] = narrow<Element>(r < count ? rows[r * stride + i] : 0.0f);
    }
  }
}

template <size_t kRows, typename Element>
void tile(float* BN_RESTRICT c, size_t ldc, const float* BN_RESTRICT strip, const Element* BN_RESTRICT panel, size_t k,
          bool accumulate) {
  for (size_t begin = 0; begin < k; begin += kGemmSumLength) {
    const size_t end = k - begin < kGemmSumLength ? k : begin + kGemmSumLength;
    float sums[kRows][kGemmCols] = {};
    for (size_t i = begin; i < end; ++i) {
      float w[kGemmCols];
      for (size_t j = 0; j < kGemmCols; ++j) w[j] = widen(panel[i * kGemmCols + j]);
      for (size_t r = 0; r < kRows; ++r) {
        const float a = strip[i * kGemmRows + r];
        for (size_t j = 0; j < kGemmCols; ++j) sums[r][j] += a * w[j];
      }
    }
    for (size_t r = 0; r < kRows; ++r) {
      for (size_t j = 0; j < kGemmCols; ++j) {
        c[r * ldc + j] = accumulate || begin > 0 ? c[r * ldc + j] + sums[r][j] : sums[r][j];
      }
    }
  }
}

template <typename Element>
void tile_of_rows(float* c, size_t ldc, const float* strip, const Element* panel, size_t rows, size_t k,
                  bool accumulate) {
  static constexpr decltype(&tile<1, Element>) kTiles[kGemmRows] = {tile<1, Element>, tile<2, Element>,
                                                                    tile<3, Element>, tile<4, Element>};
  kTiles[rows - 1](c, ldc, strip, panel, k, accumulate);
}

// Weights kept as Element, multiplied as f32.
template <typename Element>
struct WidenedGemm {
  static size_t strip_bytes(size_t depth) { return kGemmRows * depth * sizeof(float); }
  static size_t panel_bytes(size_t depth) { return kGemmCols * depth * sizeof(Element); }
  static void pack_strip(void* strip, const float* a, size_t lda, size_t rows, size_t depth) {
    gemm_pack_strip_f32(static_cast<float*>(strip), a, lda, rows, depth);
  }
  static void pack_panel(void* panel, const float* w, size_t ldw, size_t cols, size_t depth) {
    pack_transposed<kGemmCols>(static_cast<Element*>(panel), w, ldw, cols, depth);
  }
  static void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth,
                   bool accumulate, Ahead /*ahead*/) {
    tile_of_rows(c, ldc, static_cast<const float*>(strip), static_cast<const Element*>(panel), rows, depth, accumulate);
  }
  static void unpack_column(float* out, const void* panel, size_t col, size_t depth) {
    for (size_t k = 0; k < depth; ++k) out[k] = widen(static_cast<const Element*>(panel)[k * kGemmCols + col]);
  }

  static constexpr GemmKernels kKernels = {kGemmRows,  kGemmCols,  strip_bytes, panel_bytes,
                                           pack_strip, pack_panel, tile,        unpack_column};
};

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
  tile_of_rows(c, ldc, strip, panel, rows, k, accumulate);
}

const GemmKernels kF32Gemm = WidenedGemm<float>::kKernels;
const GemmKernels kF16Gemm = WidenedGemm<F16>::kKernels;
const GemmKernels kBf16Gemm = WidenedGemm<Bf16>::kKernels;

}  // namespace bert_native::scalar
