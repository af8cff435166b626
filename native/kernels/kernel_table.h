#pragma once

#include <cstddef>
#include <cstdint>

#include "common/activation.h"
#include "common/cpu_features.h"
#include "kernels/gemm_kernels.h"

namespace bert_native {

// Every operation that an instruction set implements, as plain functions over f32. One table per instruction set; each
// operation has a scalar twin. Pointers need no alignment. Sizes count elements. `out` may equal an input of the same
// shape, but they may not overlap otherwise.
//
// Same bits whatever the batch: what a function computes for one row never depends on how many rows it was given, and
// the order of every sum depends on the row's length alone.
struct KernelTable {
  Isa isa;

  // --- products with weights; null where the instruction set has nothing better than another type ---

  const GemmKernels* gemm[kMatrixTypeCount];

  // --- GEMM in f32: C[M,N] = A[M,K] · W[N,K]ᵀ in tiles of gemm_rows × gemm_cols ---

  size_t gemm_rows;  // rows of C per tile, the height of a packed strip of A
  size_t gemm_cols;  // columns of C per tile, the width of a packed panel of W

  // packed[k][gemm_rows] = a[r][k] for r < rows (at most gemm_rows), zero for the rest. a: row-major, stride lda.
  void (*gemm_pack_strip_f32)(float* packed, const float* a, size_t lda, size_t rows, size_t k);
  // packed[k][gemm_cols] = w[c][k] for c < cols (at most gemm_cols), zero for the rest. w: row-major [cols,k], stride
  // ldw.
  void (*gemm_pack_panel_f32)(float* packed, const float* w, size_t ldw, size_t cols, size_t k);
  // packed[k][gemm_cols] = v[k][c] for c < cols, zero for the rest. v: row-major [k,cols], stride ldv.
  void (*gemm_pack_panel_transposed_f32)(float* packed, const float* v, size_t ldv, size_t cols, size_t k);
  // c[r][j] = (accumulate ? c[r][j] : 0) + Σ_k strip[k][r] panel[k][j], for r < rows and all gemm_cols columns j.
  // Products are summed in ascending k, kGemmSumLength of them at a time, and these sums added in turn: a caller may
  // split K over several calls at multiples of kGemmSumLength without changing a bit.
  void (*gemm_tile_f32)(float* c, size_t ldc, const float* strip, const float* panel, size_t rows, size_t k,
                        bool accumulate);

  // --- epilogues, on one row (or part of one) of n elements ---

  void (*add_bias_f32)(float* x, const float* bias, size_t n);                                  // x += bias
  void (*add_bias_residual_f32)(float* x, const float* bias, const float* residual, size_t n);  // x += bias + residual
  void (*add_bias_activate_f32[kActivationCount])(float* x, const float* bias, size_t n);       // x = act(x + bias)

  // x = act(x + x_bias) (y + y_bias), of a gated MLP: Shazeer 2020. y overlaps no x.
  void (*gate_f32[kActivationCount])(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n);

  // --- whole rows of n elements ---

  // out = gamma (x - mean) / √(variance + eps) + beta     Ba et al. 2016, eq. 4; biased two-pass variance
  void (*layer_norm_f32)(float* out, const float* x, const float* gamma, const float* beta, float eps, size_t n);
  // x = softmax(scale x), n ≥ 1. Maximum subtracted first. -∞ gives 0; NaN, or nothing but -∞, gives NaN throughout.
  void (*softmax_f32)(float* x, float scale, size_t n);
  // A part of a row whose softmax is made part by part (Milakov & Gimelshein 2018). With m the larger of *maximum and
  // the maximum of scale x: x = e^(scale x - m), *sum = c *sum + Σ x, *maximum = m. Returns c = e^(*maximum before -
  // m), which brings what was summed with earlier parts to the same scale. A row begins with -∞ and 0; what divides by
  // its sum in the end has softmax_f32's values, those for -∞ and NaN too. n ≥ 1.
  float (*softmax_part_f32)(float* x, float scale, size_t n, float* maximum, float* sum);

  // --- element-wise ---

  void (*add_f32)(float* out, const float* x, size_t n);           // out += x
  void (*add_reversed_f32)(float* out, const float* x, size_t n);  // out_i += x_{n-1-i}; they overlap nowhere
  void (*max_f32)(float* out, const float* x, size_t n);           // out = max(out, x), NaN if either is
  void (*scale_f32)(float* out, float factor, size_t n);           // out *= factor
  float (*dot_f32)(const float* x, const float* y, size_t n);      // Σ x y

  // --- rotations of pairs, in place: Su et al. 2021, eq. 34. cos and sin overlap no x ---

  // Elements i and i + pairs by the angle i: x_i cos_i - x_{i+pairs} sin_i and x_{i+pairs} cos_i + x_i sin_i.
  void (*rotate_halves_f32)(float* x, const float* cos, const float* sin, size_t pairs);
  // Elements 2i and 2i + 1 of n, n even: x_j = x_j cos_j + sin_j times the pair's other element. So cos holds each
  // angle's cosine twice, sin its sine with a minus and without.
  void (*rotate_neighbours_f32)(float* x, const float* cos, const float* sin, size_t n);

  // --- stored parameters to f32; F64 rounds to nearest even, the others are exact ---

  void (*f16_to_f32)(float* out, const uint16_t* x, size_t n);
  void (*bf16_to_f32)(float* out, const uint16_t* x, size_t n);
  void (*f64_to_f32)(float* out, const double* x, size_t n);

  // --- initial parameters: normal_values() of random.h, to the last bit ---

  void (*normal_f32)(float* out, size_t count, uint64_t seed, uint64_t first, double std);

  // The type that weights of `type` are best kept in here: kF32 where kBf16x2 and kBf16x3 would gain nothing.
  MatrixType resolve(MatrixType type) const {
    return gemm[static_cast<size_t>(type)] != nullptr ? type : MatrixType::kF32;
  }
  const GemmKernels& gemm_of(MatrixType type) const { return *gemm[static_cast<size_t>(resolve(type))]; }
};

// The table of one instruction set, or null where this build has none (another architecture).
const KernelTable* kernel_table(Isa isa);

// The table of selected_isa(). Throws what that throws.
const KernelTable& selected_kernels();

}  // namespace bert_native
