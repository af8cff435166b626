#include "kernels/random.h"
#include "kernels/scalar/kernels.h"
#include "kernels/tables.h"

namespace bert_native::scalar {

constexpr KernelTable kTable = {
    .isa = Isa::kScalar,
    .gemm = {&kF32Gemm, &kF16Gemm, &kBf16Gemm, &kInt8Gemm, nullptr, nullptr},
    .gemm_rows = kGemmRows,
    .gemm_cols = kGemmCols,
    .gemm_pack_strip_f32 = gemm_pack_strip_f32,
    .gemm_pack_panel_f32 = gemm_pack_panel_f32,
    .gemm_pack_panel_transposed_f32 = gemm_pack_panel_transposed_f32,
    .gemm_tile_f32 = gemm_tile_f32,
    .add_bias_f32 = add_bias_f32,
    .add_bias_residual_f32 = add_bias_residual_f32,
    .add_bias_activate_f32 = {add_bias_gelu_erf_f32, add_bias_gelu_tanh_f32, add_bias_quick_gelu_f32, add_bias_relu_f32,
                              add_bias_silu_f32, add_bias_tanh_f32},
    .gate_f32 = {gate_gelu_erf_f32, gate_gelu_tanh_f32, gate_quick_gelu_f32, gate_relu_f32, gate_silu_f32,
                 gate_tanh_f32},
    .layer_norm_f32 = layer_norm_f32,
    .softmax_f32 = softmax_f32,
    .softmax_part_f32 = softmax_part_f32,
    .add_f32 = add_f32,
    .add_reversed_f32 = add_reversed_f32,
    .max_f32 = max_f32,
    .scale_f32 = scale_f32,
    .dot_f32 = dot_f32,
    .rotate_halves_f32 = rotate_halves_f32,
    .rotate_neighbours_f32 = rotate_neighbours_f32,
    .f16_to_f32 = f16_to_f32,
    .bf16_to_f32 = bf16_to_f32,
    .f64_to_f32 = f64_to_f32,
    .normal_f32 = normal_values,
};

}  // namespace bert_native::scalar
