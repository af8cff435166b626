#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm_kernels.h"

// The portable twins: every operation of kernel_table.h, which says what each computes, in plain C++. What the other
// instruction sets are tested against, and what runs where a processor has none of them. Sums over a row are kept in
// double.

namespace bert_native::scalar {

inline constexpr size_t kGemmRows = 4;
inline constexpr size_t kGemmCols = 8;

void gemm_pack_strip_f32(float* packed, const float* a, size_t lda, size_t rows, size_t k);
void gemm_pack_panel_f32(float* packed, const float* w, size_t ldw, size_t cols, size_t k);
void gemm_pack_panel_transposed_f32(float* packed, const float* v, size_t ldv, size_t cols, size_t k);
void gemm_tile_f32(float* c, size_t ldc, const float* strip, const float* panel, size_t rows, size_t k,
                   bool accumulate);

extern const GemmKernels kF32Gemm, kF16Gemm, kBf16Gemm, kInt8Gemm;

void add_bias_f32(float* x, const float* bias, size_t n);
void add_bias_residual_f32(float* x, const float* bias, const float* residual, size_t n);
void add_bias_gelu_erf_f32(float* x, const float* bias, size_t n);
void add_bias_gelu_tanh_f32(float* x, const float* bias, size_t n);
void add_bias_quick_gelu_f32(float* x, const float* bias, size_t n);
void add_bias_relu_f32(float* x, const float* bias, size_t n);
void add_bias_silu_f32(float* x, const float* bias, size_t n);
void add_bias_tanh_f32(float* x, const float* bias, size_t n);
void gate_gelu_erf_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n);
void gate_gelu_tanh_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n);
void gate_quick_gelu_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n);
void gate_relu_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n);
void gate_silu_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n);
void gate_tanh_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n);

void layer_norm_f32(float* out, const float* x, const float* gamma, const float* beta, float eps, size_t n);
void softmax_f32(float* x, float scale, size_t n);
float softmax_part_f32(float* x, float scale, size_t n, float* maximum, float* sum);

void add_f32(float* out, const float* x, size_t n);
void add_reversed_f32(float* out, const float* x, size_t n);
void max_f32(float* out, const float* x, size_t n);
void scale_f32(float* out, float factor, size_t n);
float dot_f32(const float* x, const float* y, size_t n);
void rotate_halves_f32(float* x, const float* cos, const float* sin, size_t pairs);
void rotate_neighbours_f32(float* x, const float* cos, const float* sin, size_t n);

void f16_to_f32(float* out, const uint16_t* x, size_t n);
void bf16_to_f32(float* out, const uint16_t* x, size_t n);
void f64_to_f32(float* out, const double* x, size_t n);

}  // namespace bert_native::scalar
