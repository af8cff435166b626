#pragma once

#include <immintrin.h>

#include "common/compiler.h"
#include "kernels/avx512/int8.h"

namespace bert_native::avx512_vnni {
namespace {

struct Int8Dot : avx512::Int8Lanes {
  static constexpr bool kBoundedPairs = false;
  static BN_ALWAYS_INLINE Lanes dot(Lanes sum, Lanes a, Lanes w) {
#if BN_GNU_ASSEMBLER
    // GCC 12 copies each sum to another register and back around the intrinsic, which halves the speed.
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(w));
    return sum;
#else
    return _mm512_dpbusd_epi32(sum, a, w);
#endif
  }
};

}  // namespace
}  // namespace bert_native::avx512_vnni
