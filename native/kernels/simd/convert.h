#pragma once

#include <cstddef>

namespace bert_native {
namespace {

// out[i] = widen(x[i]), where `widen` takes kLanes stored elements at once.
template <class V, class Stored, V (*widen)(const Stored*)>
void convert_to_f32(float* out, const Stored* x, size_t n) {
  size_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) widen(x + i).store(out + i);
  if (i == n) return;
  Stored rest[V::kLanes] = {};
  for (size_t j = 0; i + j < n; ++j) rest[j] = x[i + j];
  widen(rest).store_first(out + i, n - i);
}

}  // namespace
}  // namespace bert_native
