#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"
#include "kernels/simd/activations.h"
#include "kernels/simd/convert.h"
#include "kernels/simd/elementwise.h"
#include "kernels/simd/gemm.h"
#include "kernels/simd/normalization.h"
#include "kernels/simd/random.h"

namespace bert_native {
namespace {

// The table of an instruction set whose vector type is V.
// int8: the kernels for weights of eight bits, which are not made of V's operations.
template <class V>
constexpr KernelTable make_table(Isa isa, const GemmKernels* int8) {
  return {
      .isa = isa,
      .gemm = {&WidenedGemm<V, float>::kKernels, &WidenedGemm<V, F16>::kKernels, &WidenedGemm<V, Bf16>::kKernels, int8,
               nullptr, nullptr},
      .gemm_rows = V::kGemmRows,
      .gemm_cols = kGemmCols<V>,
      .gemm_pack_strip_f32 = gemm_pack_strip_f32<V>,
      .gemm_pack_panel_f32 = gemm_pack_panel_f32<V>,
      .gemm_pack_panel_transposed_f32 = gemm_pack_panel_transposed_f32<V>,
      .gemm_tile_f32 = gemm_tile_f32<V>,
      .add_bias_f32 = add_f32<V>,
      .add_bias_residual_f32 = add_bias_residual_f32<V>,
      .add_bias_activate_f32 = {add_bias_activate_f32<V, gelu_erf<V>>, add_bias_activate_f32<V, gelu_tanh<V>>,
                                add_bias_activate_f32<V, quick_gelu<V>>, add_bias_activate_f32<V, relu<V>>,
                                add_bias_activate_f32<V, silu<V>>, add_bias_activate_f32<V, tanh<V>>},
      .gate_f32 = {gate_f32<V, gelu_erf<V>>, gate_f32<V, gelu_tanh<V>>, gate_f32<V, quick_gelu<V>>,
                   gate_f32<V, relu<V>>, gate_f32<V, silu<V>>, gate_f32<V, tanh<V>>},
      .layer_norm_f32 = layer_norm_f32<V>,
      .softmax_f32 = softmax_f32<V>,
      .softmax_part_f32 = softmax_part_f32<V>,
      .add_f32 = add_f32<V>,
      .add_reversed_f32 = add_reversed_f32<V>,
      .max_f32 = max_f32<V>,
      .scale_f32 = scale_f32<V>,
      .dot_f32 = dot_f32<V>,
      .rotate_halves_f32 = rotate_halves_f32<V>,
      .rotate_neighbours_f32 = rotate_neighbours_f32<V>,
      .f16_to_f32 = convert_to_f32<V, uint16_t, V::from_f16>,
      .bf16_to_f32 = convert_to_f32<V, uint16_t, V::from_bf16>,
      .f64_to_f32 = convert_to_f32<V, double, V::from_f64>,
      .normal_f32 = normal_f32,
  };
}

}  // namespace
}  // namespace bert_native
