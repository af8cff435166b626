#include <algorithm>
#include <cmath>

#include "kernels/scalar/kernels.h"

namespace bert_native::scalar {

namespace {

// Each activation is computed in double: the tails, where 1 + erf or 1 + tanh would cancel, come out right as well.
// Below kLowest every one of the products x·σ and x·Φ is zero in f32; the bound keeps -∞·0 from becoming NaN.
constexpr double kLowest = -256;

double bounded_below(double x) { return x < kLowest ? kLowest : x; }

double x_sigmoid(double x, double argument) { return bounded_below(x) / (1 + std::exp(-argument)); }

float gelu_erf(float x) {
  constexpr double kSqrtHalf = 0.70710678118654752440;
  return static_cast<float>(0.5 * bounded_below(x) * std::erfc(-kSqrtHalf * x));
}

// 1 + tanh(u) = 2σ(2u)
float gelu_tanh(float x) {
  constexpr double kTwoSqrtTwoOverPi = 1.5957691216057307117;
  const double y = x;
  return static_cast<float>(x_sigmoid(y, kTwoSqrtTwoOverPi * (y + 0.044715 * y * y * y)));
}

float quick_gelu(float x) { return static_cast<float>(x_sigmoid(x, 1.702 * x)); }

float relu(float x) { return x < 0 ? 0.0f : x; }

float silu(float x) { return static_cast<float>(x_sigmoid(x, x)); }

template <float (*activation)(float)>
void add_bias_activate(float* x, const float* bias, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] = activation(x[i] + bias[i]);
}

template <float (*activation)(float)>
void gate(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n) {
  for (size_t i = 0; i < n; ++i) x[i] = activation(x[i] + x_bias[i]) * (y[i] + y_bias[i]);
}

float tanh(float x) { return std::tanh(x); }

}  // namespace

void add_bias_gelu_erf_f32(float* x, const float* bias, size_t n) { add_bias_activate<gelu_erf>(x, bias, n); }
void add_bias_gelu_tanh_f32(float* x, const float* bias, size_t n) { add_bias_activate<gelu_tanh>(x, bias, n); }
void add_bias_quick_gelu_f32(float* x, const float* bias, size_t n) { add_bias_activate<quick_gelu>(x, bias, n); }
void add_bias_relu_f32(float* x, const float* bias, size_t n) { add_bias_activate<relu>(x, bias, n); }
void add_bias_silu_f32(float* x, const float* bias, size_t n) { add_bias_activate<silu>(x, bias, n); }
void add_bias_tanh_f32(float* x, const float* bias, size_t n) { add_bias_activate<tanh>(x, bias, n); }

void gate_gelu_erf_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n) {
  gate<gelu_erf>(x, x_bias, y, y_bias, n);
}
void gate_gelu_tanh_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n) {
  gate<gelu_tanh>(x, x_bias, y, y_bias, n);
}
void gate_quick_gelu_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n) {
  gate<quick_gelu>(x, x_bias, y, y_bias, n);
}
void gate_relu_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n) {
  gate<relu>(x, x_bias, y, y_bias, n);
}
void gate_silu_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n) {
  gate<silu>(x, x_bias, y, y_bias, n);
}
void gate_tanh_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n) {
  gate<tanh>(x, x_bias, y, y_bias, n);
}

}  // namespace bert_native::scalar
