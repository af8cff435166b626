#pragma once

#include <cstddef>
#include <vector>

#include "encoder/plan.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// What a sequence is pooled from. Keys are the positions whose mask is 1, without those that pooling_skip leaves out,
// in ascending order. Legend: H hidden_size.
struct PooledStates {
  const float* first = nullptr;      // [H]: position 0, whatever its mask; of kCls
  const float* last = nullptr;       // [H]: the last key, null where there are none; of kLastToken
  const float* keys = nullptr;       // [key_count, H], row stride `stride`; of all others
  const PlannedRow* rows = nullptr;  // [key_count]: where they stand; of kWeightedMean
  size_t key_count = 0, stride = 0;
};

// Whether a mode reads the states of all keys.
inline bool pools_keys(Pooling mode) { return mode != Pooling::kCls && mode != Pooling::kLastToken; }

// out [modes·H]: what each mode makes of the states, side by side. Zeros where a mode has no position.
void pool_f32(float* out, const std::vector<Pooling>& modes, const PooledStates& states, size_t hidden_size,
              const KernelTable& kernels);

// x /= max(‖x‖₂, 1e-12)
void normalize_l2_f32(float* x, size_t n, const KernelTable& kernels);

}  // namespace bert_native
