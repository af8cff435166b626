#pragma once

#include <cstddef>

#include "common/compiler.h"
#include "kernels/half.h"
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
void multiply_add_loop(size_t iterations, void* sink) {
  float* values = static_cast<float*>(sink);
  // Read from memory that the compiler knows nothing of, so that no iteration can be computed beforehand.
  const V a = V::broadcast(values[0]);
  const V b = V::broadcast(values[1]);
  Chains<V, kChains<V>> chains;
  chains.start(values[0]);
  for (size_t i = 0; i < iterations; ++i) chains.multiply_add(a, b);
  chains.total().store(values);
}

// The same over what a set of dot products (kernels/<isa>/int8.h, bf16.h) sums in.
template <class D>
struct Int8Sums {
  using Dot = D;
  using Sum = typename D::Lanes;
  using Operand = typename D::Lanes;
  static Sum zero() { return D::zero(); }
  static Sum add(Sum a, Sum b) { return D::add(a, b); }
  static Operand load(const void* x) { return D::load(x); }
  static void store(float* out, Sum x) { D::to_f32(x).store(out); }
};

template <class D>
struct Bf16Sums {
  using Dot = D;
  using Sum = typename D::Vector;
  using Operand = typename D::Pairs;
  static Sum zero() { return Sum::broadcast(0.0f); }
  static Sum add(Sum a, Sum b) { return a + b; }
  static Operand load(const void* x) { return D::load(static_cast<const Bf16*>(x)); }
  static void store(float* out, Sum x) { x.store(out); }
};

template <class S, size_t kCount>
struct DotChains {
  typename S::Sum sum;
  DotChains<S, kCount - 1> others;

  BN_ALWAYS_INLINE void clear() {
    sum = S::zero();
    BN_OPAQUE(sum);  // or equal chains would be computed once
    others.clear();
  }
  BN_ALWAYS_INLINE void multiply_add(typename S::Operand a, typename S::Operand b) {
    sum = S::Dot::dot(sum, a, b);
    others.multiply_add(a, b);
  }
  BN_ALWAYS_INLINE typename S::Sum total() const { return S::add(sum, others.total()); }
};

template <class S>
struct DotChains<S, 0> {
  BN_ALWAYS_INLINE void clear() {}
  BN_ALWAYS_INLINE void multiply_add(typename S::Operand, typename S::Operand) {}
  BN_ALWAYS_INLINE typename S::Sum total() const { return S::zero(); }
};

// As many chains as fit beside what a dot product of several instructions needs.
template <class D>
constexpr size_t kDotChains = D::Vector::kLanes == 16 ? 16 : 11;

template <class S>
void dot_loop(size_t iterations, void* sink) {
  auto a = S::load(sink);
  const auto b = S::load(sink);
  DotChains<S, kDotChains<typename S::Dot>> chains;
  chains.clear();
  for (size_t i = 0; i < iterations; ++i) {
    BN_OPAQUE(a);  // or what does not depend on the sums would be computed once
    chains.multiply_add(a, b);
  }
  S::store(static_cast<float*>(sink), chains.total());
}

template <class D>
constexpr MultiplyAddLoop make_int8_loop() {
  return {dot_loop<Int8Sums<D>>, 2 * 4 * kDotChains<D> * D::Vector::kLanes};
}

template <class D>
constexpr MultiplyAddLoop make_bf16_loop() {
  return {dot_loop<Bf16Sums<D>>, 2 * 2 * kDotChains<D> * D::Vector::kLanes};
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
  return {{multiply_add_loop<V>, 2 * kChains<V> * V::kLanes}, read_loop<V>, kReadVectors * V::kLanes};
}

}  // namespace
}  // namespace bert_native
