#include "kernels/scalar/kernels.h"

namespace bert_native::scalar {

void add_bias_f32(float* x, const float* bias, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] += bias[i];
}

void add_bias_residual_f32(float* x, const float* bias, const float* residual, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] = x[i] + bias[i] + residual[i];
}

void add_f32(float* out, const float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] += x[i];
}

// NaN wins, wherever it stands.
void max_f32(float* out, const float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const bool is_nan = x[i] != x[i];
    if (is_nan || x[i] > out[i]) out[i] = x[i];
  }
}

void scale_f32(float* out, float factor, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] *= factor;
}

float dot_f32(const float* x, const float* y, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * y[i];
  return static_cast<float>(sum);
}

}  // namespace bert_native::scalar
