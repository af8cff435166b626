#pragma once

#include <immintrin.h>

#include <cstddef>

namespace bert_native::x86 {
namespace {

// out[j·out_stride + i] = in[i·in_stride + j] for i, j < 4
inline void transpose_4x4(float* out, size_t out_stride, const float* in, size_t in_stride) {
  __m128 row0 = _mm_loadu_ps(in);
  __m128 row1 = _mm_loadu_ps(in + in_stride);
  __m128 row2 = _mm_loadu_ps(in + 2 * in_stride);
  __m128 row3 = _mm_loadu_ps(in + 3 * in_stride);
  _MM_TRANSPOSE4_PS(row0, row1, row2, row3);
  _mm_storeu_ps(out, row0);
  _mm_storeu_ps(out + out_stride, row1);
  _mm_storeu_ps(out + 2 * out_stride, row2);
  _mm_storeu_ps(out + 3 * out_stride, row3);
}

}  // namespace
}  // namespace bert_native::x86
