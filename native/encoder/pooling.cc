#include "encoder/pooling.h"

#include <algorithm>
#include <cmath>

namespace bert_native {

namespace {

// Columns of a weighted sum that are made at a time.
constexpr size_t kWeightedColumns = 256;

void sum_keys(float* out, const PooledStates& states, size_t hidden_size, const KernelTable& kernels) {
  std::copy_n(states.keys, hidden_size, out);
  for (size_t key = 1; key < states.key_count; ++key) {
    kernels.add_f32(out, states.keys + key * states.stride, hidden_size);
  }
}

// The weight of a position is its column, counted from 1.
void mean_by_column(float* out, const PooledStates& states, size_t hidden_size, const KernelTable& kernels) {
  size_t sum = 0;
  for (size_t key = 0; key < states.key_count; ++key) sum += states.rows[key].position + size_t{1};
  float weighted[kWeightedColumns];
  for (size_t begin = 0; begin < hidden_size; begin += kWeightedColumns) {
    const size_t columns = std::min(kWeightedColumns, hidden_size - begin);
    std::fill_n(out + begin, columns, 0.0f);
    for (size_t key = 0; key < states.key_count; ++key) {
      std::copy_n(states.keys + key * states.stride + begin, columns, weighted);
      kernels.scale_f32(weighted, static_cast<float>(states.rows[key].position + 1), columns);
      kernels.add_f32(out + begin, weighted, columns);
    }
  }
  kernels.scale_f32(out, static_cast<float>(1.0 / static_cast<double>(sum)), hidden_size);
}

void pool_keys(float* out, Pooling mode, const PooledStates& states, size_t hidden_size, const KernelTable& kernels) {
  const double count = static_cast<double>(states.key_count);
  switch (mode) {
    case Pooling::kMax:
      std::copy_n(states.keys, hidden_size, out);
      for (size_t key = 1; key < states.key_count; ++key) {
        kernels.max_f32(out, states.keys + key * states.stride, hidden_size);
      }
      break;
    case Pooling::kWeightedMean:
      mean_by_column(out, states, hidden_size, kernels);
      break;
    default:
      sum_keys(out, states, hidden_size, kernels);
      kernels.scale_f32(out, static_cast<float>(1 / (mode == Pooling::kMean ? count : std::sqrt(count))), hidden_size);
  }
}

}  // namespace

void pool_f32(float* out, const std::vector<Pooling>& modes, const PooledStates& states, size_t hidden_size,
              const KernelTable& kernels) {
  for (const Pooling mode : modes) {
    const float* single = mode == Pooling::kCls ? states.first : mode == Pooling::kLastToken ? states.last : nullptr;
    if (single != nullptr) {
      std::copy_n(single, hidden_size, out);
    } else if (pools_keys(mode) && states.key_count > 0) {
      pool_keys(out, mode, states, hidden_size, kernels);
    } else {
      std::fill_n(out, hidden_size, 0.0f);
    }
    out += hidden_size;
  }
}

void normalize_l2_f32(float* x, size_t n, const KernelTable& kernels) {
  const float norm = std::sqrt(kernels.dot_f32(x, x, n));
  kernels.scale_f32(x, 1.0f / std::max(norm, 1e-12f), n);
}

}  // namespace bert_native
