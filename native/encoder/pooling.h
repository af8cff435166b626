#pragma once

#include <cstddef>

#include "encoder/batch.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// out [H] = one vector for a sequence, from its last hidden state.
// keys [count,H], row stride `stride`: the positions whose mask is 1. Their mean and maximum are zeros where there are
// none. first [H]: position 0, whatever its mask (read for kCls only).
void pool_f32(float* out, Pooling pooling, const float* keys, size_t count, size_t stride, const float* first,
              size_t hidden_size, const KernelTable& kernels);

// x /= max(‖x‖₂, 1e-12)
void normalize_l2_f32(float* x, size_t n, const KernelTable& kernels);

}  // namespace bert_native
