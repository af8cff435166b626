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

void add_reversed_f32(float* out, const float* x, size_t n) {
  for (size_t i = 0; i < n; ++i) out[i] += x[n - 1 - i];
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

void rotate_halves_f32(float* x, const float* cos, const float* sin, size_t pairs) {
  for (size_t i = 0; i < pairs; ++i) {
    const float a = x[i], b = x[pairs + i];
    x[i] = a * cos[i] - b * sin[i];
    x[pairs + i] = b * cos[i] + a * sin[i];
  }
}

void rotate_neighbours_f32(float* x, const float* cos, const float* sin, size_t n) {
  for (size_t i = 0; i < n; i += 2) {
    const float a = x[i], b = x[i + 1];
    x[i] = a * cos[i] + b * sin[i];
    x[i + 1] = b * cos[i + 1] + a * sin[i + 1];
  }
}

}  // namespace bert_native::scalar
