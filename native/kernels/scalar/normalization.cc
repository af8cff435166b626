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

}  // namespace bert_native::scalar
