#pragma once

#include <cstddef>

#include "kernels/simd/parts.h"

namespace bert_native {
namespace {

template <class V>
void add_bias_residual_f32(float* x, const float* bias, const float* residual, size_t n) {
  for_each_part<V>(n, [&](auto part, size_t i) {
    part.store(x + i, part.load(x + i) + part.load(bias + i) + part.load(residual + i));
  });
}

// Also x += bias, the epilogue.
template <class V>
void add_f32(float* out, const float* x, size_t n) {
  for_each_part<V>(n, [&](auto part, size_t i) { part.store(out + i, part.load(out + i) + part.load(x + i)); });
}

template <class V>
void add_reversed_f32(float* out, const float* x, size_t n) {
  size_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) {
    (V::load(out + i) + reverse(V::load(x + (n - V::kLanes - i)))).store(out + i);
  }
  for (; i < n; ++i) out[i] += x[n - 1 - i];
}

template <class V>
void max_f32(float* out, const float* x, size_t n) {
  for_each_part<V>(n,
                   [&](auto part, size_t i) { part.store(out + i, max_or_nan(part.load(out + i), part.load(x + i))); });
}

template <class V>
void scale_f32(float* out, float factor, size_t n) {
  for_each_part<V>(n, [&](auto part, size_t i) { part.store(out + i, part.load(out + i) * V::broadcast(factor)); });
}

template <class V>
float dot_f32(const float* x, const float* y, size_t n) {
  const V lanes = accumulate(
      n, V::broadcast(0.0f), [&](V sum, auto part, size_t i) { return fma(part.load(x + i), part.load(y + i), sum); },
      [](V a, V b) { return a + b; });
  return reduce_sum(lanes);
}

template <class V>
void rotate_halves_f32(float* x, const float* cos, const float* sin, size_t pairs) {
  for_each_part<V>(pairs, [&](auto part, size_t i) {
    const V a = part.load(x + i), b = part.load(x + pairs + i), c = part.load(cos + i), s = part.load(sin + i);
    part.store(x + i, fnma(b, s, a * c));
    part.store(x + pairs + i, fma(a, s, b * c));
  });
}

template <class V>
void rotate_neighbours_f32(float* x, const float* cos, const float* sin, size_t n) {
  for_each_part<V>(n, [&](auto part, size_t i) {
    const V pairs = part.load(x + i);
    part.store(x + i, fma(swap_neighbours(pairs), part.load(sin + i), pairs * part.load(cos + i)));
  });
}

}  // namespace
}  // namespace bert_native
