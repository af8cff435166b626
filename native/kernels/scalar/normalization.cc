#include <cmath>

#include "kernels/scalar/kernels.h"

namespace bert_native::scalar {

void layer_norm_f32(float* out, const float* x, const float* gamma, const float* beta, float eps, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(n);
  double squares = 0;
  for (size_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double rstd = 1 / std::sqrt(squares / static_cast<double>(n) + eps);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<float>((x[i] - mean) * rstd * gamma[i] + beta[i]);
}

void softmax_f32(float* x, float scale, size_t n) {
  const double factor = scale;
  double maximum = factor * x[0];
  for (size_t i = 1; i < n; ++i) {
    const double value = factor * x[i];  // not std::fmax, which makes GCC 12 for arm64 fail in its vectoriser
    if (value > maximum) maximum = value;
  }
  double sum = 0;
  for (size_t i = 0; i < n; ++i) {
    const double e = std::exp(factor * x[i] - maximum);
    sum += e;
    x[i] = static_cast<float>(e);
  }
  for (size_t i = 0; i < n; ++i) x[i] = static_cast<float>(x[i] / sum);
}

float softmax_part_f32(float* x, float scale, size_t n, float* maximum, float* sum) {
  const double factor = scale;
  double largest = *maximum;
  for (size_t i = 0; i < n; ++i) {
    const double value = factor * x[i];
    if (value > largest) largest = value;
  }
  // Rounded first: the next part sees the maximum as f32. -∞ less -∞ would be NaN, but
  // nothing except -∞ so far adds nothing.
  const auto rounded = static_cast<float>(largest);
  const double subtracted = rounded == -INFINITY ? 0 : rounded;
  double part = 0;
  for (size_t i = 0; i < n; ++i) {
    const double e = std::exp(factor * x[i] - subtracted);
    part += e;
    x[i] = static_cast<float>(e);
  }
  const double correction = std::exp(*maximum - subtracted);
  *sum = static_cast<float>(*sum * correction + part);
  *maximum = rounded;
  return static_cast<float>(correction);
}

}  // namespace bert_native::scalar
