#include "encoder/pooling.h"

#include <algorithm>
#include <cmath>

namespace bert_native {

void pool_f32(float* out, Pooling pooling, const float* keys, size_t count, size_t stride, const float* first,
              size_t hidden_size, const KernelTable& kernels) {
  if (pooling == Pooling::kCls) {
    std::copy_n(first, hidden_size, out);
    return;
  }
  if (count == 0) {
    std::fill_n(out, hidden_size, 0.0f);
    return;
  }
  std::copy_n(keys, hidden_size, out);
  const auto combine = pooling == Pooling::kMean ? kernels.add_f32 : kernels.max_f32;
  for (size_t row = 1; row < count; ++row) combine(out, keys + row * stride, hidden_size);
  if (pooling == Pooling::kMean) kernels.scale_f32(out, 1.0f / static_cast<float>(count), hidden_size);
}

void normalize_l2_f32(float* x, size_t n, const KernelTable& kernels) {
  const float norm = std::sqrt(kernels.dot_f32(x, x, n));
  kernels.scale_f32(x, 1.0f / std::max(norm, 1e-12f), n);
}

}  // namespace bert_native
