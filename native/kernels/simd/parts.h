#pragma once

// The algorithms of this folder are written once, over the vector type V of an instruction set (avx2/vector.h,
// avx512/vector.h, neon/vector.h), and become machine code in that folder's table.cc only.
//
// Everything here and there lies in unnamed namespaces on purpose, and nothing of the standard library is used: a
// function with external linkage that is compiled with wide instructions could be the copy that the linker keeps for
// the whole program, and would end it on a processor without them. tools/check-weak-symbols.mjs looks for such
// functions.

#include <cstddef>

namespace bert_native {
namespace {

// The two kinds of piece that a row is worked on in: whole vectors, and one rest of 1 to kLanes - 1 elements. Both run
// the same vector instructions, so an element's result does not depend on where in a row it stands.

template <class V>
struct WholeVector {
  V load(const float* x) const { return V::load(x); }
  V load(const float* x, V) const { return V::load(x); }
  void store(float* out, V value) const { value.store(out); }
  V keep(V value) const { return value; }
};

template <class V>
struct FirstLanes {
  size_t count;

  V load(const float* x) const { return V::load_first(x, count, V::broadcast(0.0f)); }
  V load(const float* x, V fill) const { return V::load_first(x, count, fill); }
  void store(float* out, V value) const { value.store_first(out, count); }
  V keep(V value) const { return value.keep_first(count); }  // zero in the other lanes
};

// Calls body(part, i) for each piece of a row of n elements, where i is the index of its first element.
template <class V, class Body>
void for_each_part(size_t n, Body body) {
  size_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) body(WholeVector<V>(), i);
  if (i < n) body(FirstLanes<V>{n - i}, i);
}

// Runs sum = step(sum, part, i) over a row with four running values, each beginning as `initial`, and combines them
// pairwise: short dependency chains, small rounding errors, and an order that n alone decides.
template <class V, class Step, class Combine>
V accumulate(size_t n, V initial, Step step, Combine combine) {
  constexpr size_t kLanes = V::kLanes;
  const WholeVector<V> whole;
  V sum0 = initial, sum1 = initial, sum2 = initial, sum3 = initial;
  size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    sum0 = step(sum0, whole, i);
    sum1 = step(sum1, whole, i + kLanes);
    sum2 = step(sum2, whole, i + 2 * kLanes);
    sum3 = step(sum3, whole, i + 3 * kLanes);
  }
  for (; i + kLanes <= n; i += kLanes) sum0 = step(sum0, whole, i);
  if (i < n) sum1 = step(sum1, FirstLanes<V>{n - i}, i);
  return combine(combine(sum0, sum1), combine(sum2, sum3));
}

// The sum of step's terms over a row, in every lane.
template <class V, class Step>
V sum_of(size_t n, Step step) {
  const V lanes = accumulate(n, V::broadcast(0.0f), step, [](V a, V b) { return a + b; });
  return V::broadcast(reduce_sum(lanes));
}

}  // namespace
}  // namespace bert_native
