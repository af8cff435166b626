#pragma once

#include <cstddef>

#include "common/compiler.h"
#include "peak_loops.h"

namespace bert_native {
namespace {

// Accumulators as nested members: every compiler here keeps them in registers.
template <class V, size_t kCount>
struct Chains {
  V sum;
  Chains<V, kCount - 1> others;

  BN_ALWAYS_INLINE void start(float x) {
    sum = V::broadcast(x);
    others.start(x + 1.0f);
  }
  BN_ALWAYS_INLINE void multiply_add(V a, V b) {
    sum = fma(a, b, sum);
    others.multiply_add(a, b);
  }
  BN_ALWAYS_INLINE void add(const float* x) {
    sum = sum + V::load(x);
    others.add(x + V::kLanes);
  }
  BN_ALWAYS_INLINE V total() const { return sum + others.total(); }
};

template <class V>
struct Chains<V, 0> {
  BN_ALWAYS_INLINE void start(float) {}
  BN_ALWAYS_INLINE void multiply_add(V, V) {}
  BN_ALWAYS_INLINE void add(const float*) {}
  BN_ALWAYS_INLINE V total() const { return V::broadcast(0.0f); }
};

// Processors start two to four multiply-adds a cycle and take four or so cycles for each: this many must be under way.
// They leave registers for the two factors.
template <class V>
constexpr size_t kChains = 2 * V::kGemmRows >= 16 ? 16 : 12;

template <class V>
void multiply_add_loop(size_t iterations, float* sink) {
  // Read from memory that the compiler knows nothing of, so that no iteration can be computed beforehand.
  const V a = V::broadcast(sink[0]);
  const V b = V::broadcast(sink[1]);
  Chains<V, kChains<V>> chains;
  chains.start(sink[0]);
  for (size_t i = 0; i < iterations; ++i) chains.multiply_add(a, b);
  chains.total().store(sink);
}

constexpr size_t kReadVectors = 8;

template <class V>
void read_loop(const float* x, size_t size, float* sink) {
  Chains<V, kReadVectors> chains;
  chains.start(0.0f);
  for (size_t i = 0; i < size; i += kReadVectors * V::kLanes) chains.add(x + i);
  chains.total().store(sink);
}

template <class V>
constexpr PeakLoops make_peak_loops() {
  return {multiply_add_loop<V>, 2 * kChains<V> * V::kLanes, read_loop<V>, kReadVectors * V::kLanes};
}

}  // namespace
}  // namespace bert_native
