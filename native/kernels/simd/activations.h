#pragma once

#include <cstddef>

#include "kernels/simd/exp.h"
#include "kernels/simd/parts.h"

namespace bert_native {
namespace {

// The gated activations are x·p(x) with p(x) + p(-x) = 1, so for both signs
//   x p(x) = max(x, 0) - a p(-a),  a = |x|.
// p(-a) is a small positive number computed to full relative accuracy: nothing cancels in the negative tail, and no
// exponential overflows. Where a is bounded, p(-a) has reached zero.

template <class V>
V relu(V x) {
  return max(V::broadcast(0.0f), x);
}

template <class V>
V gated(V x, V a, V p) {
  return fnma(a, p, relu(x));
}

// σ(-y) for y = hi + lo ≥ 0
template <class V>
V sigmoid_of_negative(V hi, V lo) {
  const V e = exp(-hi, -lo);
  return e / (V::broadcast(1.0f) + e);
}

// p = Φ(-a) = e^(-a²/2) P(a)/Q(a). P/Q approximates erfcx(a/√2)/2 over [0, 16] with a relative error of 2.7e-8: P(0) =
// 1/2 and Q(0) = 1 fixed, the rest from the linearised problem of Sanathanan & Koerner 1963 under Lawson's weights, in
// double, each coefficient rounded to f32 before the others were fitted again. All are positive, so evaluating them
// cancels nothing. The rounding error of a² is passed on to the exponential. Result: relative error at most 3.7e-7.
template <class V>
V gelu_erf(V x) {
  const V a = min(V::broadcast(16.0f), abs(x));
  const V half_a = V::broadcast(0.5f) * a;
  const V hi = half_a * a;
  const V lo = fma(half_a, a, -hi);
  V p = V::broadcast(0.00409274083f);
  p = fma(p, a, V::broadcast(0.0404669568f));
  p = fma(p, a, V::broadcast(0.182729304f));
  p = fma(p, a, V::broadcast(0.43759492f));
  p = fma(p, a, V::broadcast(0.5f));
  V q = V::broadcast(0.0102588544f);
  q = fma(q, a, V::broadcast(0.101442322f));
  q = fma(q, a, V::broadcast(0.468139112f));
  q = fma(q, a, V::broadcast(1.20037472f));
  q = fma(q, a, V::broadcast(1.67307472f));
  q = fma(q, a, V::broadcast(1.0f));
  return gated(x, a, exp(-hi, -lo) * p / q);
}

// p = σ(-y), y = 2√(2/π) (a + 0.044715 a³), because 1 + tanh(u) = 2σ(2u).
// y is formed to about twice the precision of f32, as hi + lo: its absolute error is the relative error of e^-y. The
// head of the first constant has 10 bits, so that head - slope is exact. Result: relative error at most 2.2e-7.
template <class V>
V gelu_tanh(V x) {
  const V head = V::broadcast(1.595703125f), head_rest = V::broadcast(6.59966026e-5f);     // 2√(2/π)
  const V cubic = V::broadcast(0.0713548139f), cubic_rest = V::broadcast(2.39883247e-9f);  // 2√(2/π) 0.044715
  const V a = min(V::broadcast(16.0f), abs(x));
  const V square = a * a;
  const V square_rest = fma(a, a, -square);
  const V slope = fma(cubic, square, head);  // y = a (slope + slope_rest)
  V slope_rest = fma(cubic, square, head - slope) + head_rest;
  slope_rest = fma(cubic, square_rest, slope_rest);
  slope_rest = fma(cubic_rest, square, slope_rest);
  const V hi = a * slope;
  const V lo = fma(a, slope_rest, fma(a, slope, -hi));
  return gated(x, a, sigmoid_of_negative(hi, lo));
}

// The product 1.702 a is kept as hi + lo for the same reason. Relative error at most 2.1e-7.
template <class V>
V quick_gelu(V x) {
  const V factor = V::broadcast(1.70200002f), factor_rest = V::broadcast(-2.19345093e-8f);
  const V a = min(V::broadcast(64.0f), abs(x));
  const V hi = a * factor;
  const V lo = fma(a, factor_rest, fma(a, factor, -hi));
  return gated(x, a, sigmoid_of_negative(hi, lo));
}

// Relative error at most 2.2e-7.
template <class V>
V silu(V x) {
  const V a = min(V::broadcast(128.0f), abs(x));
  return gated(x, a, sigmoid_of_negative(a, V::broadcast(0.0f)));
}

// tanh(a) = w/(w + 2), w = e^(2a) - 1 = 2^exponent m + (2^exponent - 1), which is exact for small a. From 15 on it
// is 1.
template <class V>
V tanh(V x) {
  const V one = V::broadcast(1.0f);
  const V a = min(V::broadcast(15.0f), abs(x));
  const ReducedExp<V> e = reduce_exp(a + a, V::broadcast(0.0f));
  const V power = scale_by_power_of_two(one, e.exponent);
  const V w = fma(power, e.m, power - one);
  return copy_sign(w / (w + V::broadcast(2.0f)), x);
}

template <class V, V (*activation)(V)>
void add_bias_activate_f32(float* x, const float* bias, size_t n) {
  for_each_part<V>(n,
                   [&](auto part, size_t i) { part.store(x + i, activation(part.load(x + i) + part.load(bias + i))); });
}

template <class V, V (*activation)(V)>
void gate_f32(float* x, const float* x_bias, const float* y, const float* y_bias, size_t n) {
  for_each_part<V>(n, [&](auto part, size_t i) {
    part.store(x + i,
               activation(part.load(x + i) + part.load(x_bias + i)) * (part.load(y + i) + part.load(y_bias + i)));
  });
}

}  // namespace
}  // namespace bert_native
