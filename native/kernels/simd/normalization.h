#pragma once

#include <cstddef>

#include "kernels/simd/exp.h"
#include "kernels/simd/parts.h"

namespace bert_native {
namespace {

// The mean is refined by the mean of what it leaves over. In f32 its rounding error would be a constant added to every
// centred element, which shows where a row's mean is large against its deviation.
template <class V>
void layer_norm_f32(float* out, const float* x, const float* gamma, const float* beta, float eps, size_t n) {
  const V count = V::broadcast(static_cast<float>(n));
  const V mean = sum_of<V>(n, [&](V sum, auto part, size_t i) { return sum + part.load(x + i); }) / count;
  const V rest =
      sum_of<V>(n, [&](V sum, auto part, size_t i) { return sum + part.keep(part.load(x + i) - mean); }) / count;
  const V squares = sum_of<V>(n, [&](V sum, auto part, size_t i) {
    const V centred = part.keep(part.load(x + i) - mean - rest);
    return fma(centred, centred, sum);
  });
  const V rstd = V::broadcast(1.0f) / sqrt(squares / count + V::broadcast(eps));
  for_each_part<V>(n, [&](auto part, size_t i) {
    const V normalized = (part.load(x + i) - mean - rest) * rstd;
    part.store(out + i, fma(normalized, part.load(gamma + i), part.load(beta + i)));
  });
}

// The maximum of scale·x and `least`.
template <class V>
float scaled_maximum(const float* x, V scale, size_t n, V least) {
  const V first = V::broadcast(x[0]);
  const V maxima = accumulate(
      n, max(least, first * scale),
      [&](V running, auto part, size_t i) { return max(running, part.load(x + i, first) * scale); },
      [](V a, V b) { return max(a, b); });
  return reduce_max(maxima);
}

template <class V>
void softmax_f32(float* x, float scale, size_t n) {
  const V factor = V::broadcast(scale);
  const V minus_maximum = -V::broadcast(scaled_maximum(x, factor, n, V::broadcast(x[0]) * factor));
  // scale·x - maximum is one fused operation: the product's rounding error would otherwise become a relative error of
  // the exponential, of up to 4e-6 where scores differ by 60.
  const V sum = sum_of<V>(n, [&](V running, auto part, size_t i) {
    const V e = exp(fma(part.load(x + i), factor, minus_maximum));
    part.store(x + i, e);
    return running + part.keep(e);
  });
  const V reciprocal = V::broadcast(1.0f) / sum;
  for_each_part<V>(n, [&](auto part, size_t i) { part.store(x + i, part.load(x + i) * reciprocal); });
}

constexpr float kLowest = -3.40282347e+38f;

template <class V>
float softmax_part_f32(float* x, float scale, size_t n, float* maximum, float* sum) {
  const V factor = V::broadcast(scale);
  const V before = V::broadcast(*maximum);
  const float largest = scaled_maximum(x, factor, n, before);
  // -∞ less -∞ would be NaN, but nothing except -∞ so far adds nothing.
  const V minus_maximum = -V::broadcast(largest < kLowest ? 0.0f : largest);
  const V part_sum = sum_of<V>(n, [&](V running, auto part, size_t i) {
    const V e = exp(fma(part.load(x + i), factor, minus_maximum));
    part.store(x + i, e);
    return running + part.keep(e);
  });
  const V correction = exp(before + minus_maximum);
  *sum = reduce_max(fma(V::broadcast(*sum), correction, part_sum));  // equal in every lane
  *maximum = largest;
  return reduce_max(correction);
}

}  // namespace
}  // namespace bert_native
