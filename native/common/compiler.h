#pragma once

// The only place that may name what one compiler has and another lacks.

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define BN_RESTRICT __restrict
#define BN_ALWAYS_INLINE __forceinline
#define BN_GNU_ASSEMBLER 0
#define BN_OPAQUE(x) ((void)0)
#else
#define BN_GNU_ASSEMBLER 1
// In a loop that measures: the compiler has to take x, a vector, for another value from here on.
#if defined(__x86_64__)
#define BN_OPAQUE(x) __asm__ volatile("" : "+x"(x))
#else
#define BN_OPAQUE(x) __asm__ volatile("" : "+w"(x))
#endif
#define BN_RESTRICT __restrict__
#define BN_ALWAYS_INLINE inline __attribute__((always_inline))
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

// Asks the second-level cache for the line at p, which may be any address.
#if !defined(_MSC_VER) || defined(__clang__)
#define BN_PREFETCH(p) __builtin_prefetch((p), 0, 2)
#elif BN_X86_64
#define BN_PREFETCH(p) _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1)
#else
#define BN_PREFETCH(p) __prefetch(p)
#endif

// In a loop that polls: lets the processor's other thread run, and saves power.
#if defined(_MSC_VER) && !defined(__clang__)
#if BN_X86_64
#define BN_SPIN_PAUSE() _mm_pause()
#else
#define BN_SPIN_PAUSE() __yield()
#endif
#elif BN_X86_64
#define BN_SPIN_PAUSE() __builtin_ia32_pause()
#elif BN_ARM64
#define BN_SPIN_PAUSE() __asm__ volatile("yield")
#else
#define BN_SPIN_PAUSE() ((void)0)
#endif
