#pragma once

// The only place that may name what one compiler has and another lacks.

#if defined(_MSC_VER) && !defined(__clang__)
#define BN_RESTRICT __restrict
#define BN_ALWAYS_INLINE __forceinline
#define BN_PREFETCH(address) ((void)(address))
#else
#define BN_RESTRICT __restrict__
#define BN_ALWAYS_INLINE inline __attribute__((always_inline))
#define BN_PREFETCH(address) __builtin_prefetch(address)
#endif

#if defined(__x86_64__) || defined(_M_X64)
#define BN_X86_64 1
#else
#define BN_X86_64 0
#endif

#if defined(__aarch64__) || defined(_M_ARM64)
#define BN_ARM64 1
#else
#define BN_ARM64 0
#endif
