#pragma once

#include <immintrin.h>

#include "common/compiler.h"
#include "kernels/avx2/int8.h"

namespace bert_native::avx_vnni {
namespace {

struct Int8Dot : avx2::Int8Lanes {
  static constexpr bool kBoundedPairs = false;
  static BN_ALWAYS_INLINE Lanes dot(Lanes sum, Lanes a, Lanes w) {
#if BN_GNU_ASSEMBLER
    // As in avx512_vnni/int8.h.
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(w));
    return sum;
#else
    return _mm256_dpbusd_avx_epi32(sum, a, w);
#endif
  }
};

}  // namespace
}  // namespace bert_native::avx_vnni
