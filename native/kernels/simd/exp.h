#pragma once

#include <cstddef>

namespace bert_native {
namespace {

// e^x = 2^exponent (1 + m), with |x - exponent·ln 2| ≤ ln(2)/2
template <class V>
struct ReducedExp {
  V exponent;
  V m;
};

// x = hi + lo, where lo may be what the rounding of hi left over. Reduction by Cody & Waite 1980 with ln 2 in two
// parts: hi - exponent·ln2_hi is exact in f32 for |hi| < 128. m = r + r² q(r); q of degree 4 minimises the relative
// error of 1 + m over |r| ≤ 0.3468 (Lawson's iteration in double, each coefficient rounded to f32 before the next was
// fitted): 3.2e-9 before the evaluation's own rounding.
template <class V>
ReducedExp<V> reduce_exp(V hi, V lo) {
  const V exponent = round_to_integer(hi * V::broadcast(1.44269502f));
  V r = fnma(exponent, V::broadcast(0.693147182f), hi);
  r = fnma(exponent, V::broadcast(-1.90465421e-9f), r + lo);
  V q = V::broadcast(0.00138207339f);
  q = fma(q, r, V::broadcast(0.00836867746f));
  q = fma(q, r, V::broadcast(0.0416682661f));
  q = fma(q, r, V::broadcast(0.166665211f));
  q = fma(q, r, V::broadcast(0.49999994f));
  return {exponent, fma(r * r, q, r)};
}

// e^(hi+lo) for arguments up to 40, subnormal results included; 0 for -∞, NaN for NaN. Error at most 1 ulp.
template <class V>
V exp(V hi, V lo) {
  const V bounded = max(V::broadcast(-104.0f), hi);  // e^-104 rounds to zero
  const ReducedExp<V> e = reduce_exp(bounded, lo);
  return scale_by_power_of_two(V::broadcast(1.0f) + e.m, e.exponent);
}

template <class V>
V exp(V x) {
  return exp(x, V::broadcast(0.0f));
}

}  // namespace
}  // namespace bert_native
