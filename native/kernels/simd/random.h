#pragma once

#include <math.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "common/compiler.h"

// normal_values() of kernels/random.h in loops over arrays, which compilers turn into vector code. Every element goes
// through the operations of the scalar twin in its order, so the bits are the same.

namespace bert_native {
namespace {

struct NormalBlock {
  static constexpr size_t kCounters = 128;
  static constexpr size_t kSize = 4 * kCounters;

  uint32_t words[kSize];   // a word of Philox each
  double values[kSize];    // standard normal numbers
  uint32_t tails[kSize];   // of the probabilities near 0 or 1: the word of their distance from it,
  double extremes[kSize];  // the numbers that belong to them,
  uint32_t places[kSize];  // and where they stand
};

template <size_t N>
BN_ALWAYS_INLINE double normal_polynomial(const double (&coefficients)[N], double x) {
  double sum = coefficients[0];
  for (size_t i = 1; i < N; ++i) sum = sum * x + coefficients[i];
  return sum;
}

// Words of the counters from `first` on.
inline void philox_words(NormalBlock& block, uint64_t first, size_t counters, uint64_t seed) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  uint32_t c0[NormalBlock::kCounters], c1[NormalBlock::kCounters], c2[NormalBlock::kCounters],
      c3[NormalBlock::kCounters];
  for (size_t i = 0; i < counters; ++i) {
    c0[i] = static_cast<uint32_t>(first + i);
    c1[i] = static_cast<uint32_t>((first + i) >> 32);
    c2[i] = c3[i] = 0;
  }
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (size_t i = 0; i < counters; ++i) {
      const uint64_t product0 = kMultiplier0 * c0[i], product1 = kMultiplier1 * c2[i];
      c0[i] = static_cast<uint32_t>(product1 >> 32) ^ c1[i] ^ key0;
      c1[i] = static_cast<uint32_t>(product1);
      c2[i] = static_cast<uint32_t>(product0 >> 32) ^ c3[i] ^ key1;
      c3[i] = static_cast<uint32_t>(product0);
    }
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  for (size_t i = 0; i < counters; ++i) {
    block.words[4 * i] = c0[i];
    block.words[4 * i + 1] = c1[i];
    block.words[4 * i + 2] = c2[i];
    block.words[4 * i + 3] = c3[i];
  }
}

// integer - offset: an integer below 2⁵² in the last bits of 2⁵² makes the double 2⁵² + integer.
BN_ALWAYS_INLINE double to_double_less(uint64_t integer, double offset) {
  const uint64_t bits = uint64_t{0x4330000000000000} | integer;
  double shifted;
  memcpy(&shifted, &bits, sizeof shifted);
  return shifted - (0x1p52 + offset);
}

// (word + ½) 2⁻³². Of ~word: 1 less that.
BN_ALWAYS_INLINE double normal_probability(uint32_t word) { return to_double_less(word, -0.5) * 0x1p-32; }

// Wichura's first function, for |p - ½| ≤ 0.425; the others get values that are replaced later.
inline void normal_centers(NormalBlock& block, size_t count) {
  static constexpr double kA[] = {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
                                  4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
                                  1.3314166789178437745e+2, 3.3871328727963666080e+0};
  static constexpr double kB[] = {
      5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
      5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1.0};
  for (size_t i = 0; i < count; ++i) {
    const double q = normal_probability(block.words[i]) - 0.5;
    const double r = 0.180625 - q * q;
    block.values[i] = q * normal_polynomial(kA, r) / normal_polynomial(kB, r);
  }
}

// The last word whose probability is too near 0 for that.
constexpr uint32_t kLastTailWord = 322122546;
static_assert(0.5 - (kLastTailWord + 0.5) * 0x1p-32 > 0.425 && 0.5 - (kLastTailWord + 1.5) * 0x1p-32 <= 0.425);

// How many of the block's probabilities are too near 0 or 1.
inline size_t find_normal_tails(NormalBlock& block, size_t count) {
  size_t found = 0;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t word = block.words[i], distance = word ^ (0u - (word >> 31));
    block.tails[found] = distance;
    block.places[found] = static_cast<uint32_t>(i);
    found += distance <= kLastTailWord;
  }
  return found;
}

// As exact_log() of kernels/random.cc, for 2⁻³³ ≤ w < 1.
BN_ALWAYS_INLINE double normal_log(double w) {
  static constexpr double kSeries[] = {1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
                                       1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3};
  constexpr uint64_t kFractionMask = (uint64_t{1} << 52) - 1;
  constexpr uint64_t kExponentOfOne = uint64_t{1023} << 52;
  constexpr uint64_t kSqrt2 = 0x3ff6a09e667f3bcd;  // of 1.4142135623730951
  constexpr double kLog2 = 0.6931471805599453;
  uint64_t bits;
  memcpy(&bits, &w, sizeof bits);
  const uint64_t fraction = (bits & kFractionMask) | kExponentOfOne;
  const uint64_t halve = (fraction - kSqrt2) >> 63 ^ 1;  // whether it is at least √2
  const uint64_t m_bits = fraction - (halve << 52);
  double m;
  memcpy(&m, &m_bits, sizeof m);
  const double exponent = to_double_less((bits >> 52) + halve, 1023);
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  return exponent * kLog2 + 2 * s * (1 + square * normal_polynomial(kSeries, square));
}

// Wichura's second function.
inline void normal_tails(NormalBlock& block, size_t count) {
  static constexpr double kC[] = {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                                  1.27045825245236838258e+0, 3.64784832476320460504e+0, 5.76949722146069140550e+0,
                                  4.63033784615654529590e+0, 1.42343711074968357734e+0};
  static constexpr double kD[] = {
      1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
      6.89767334985100004550e-1, 1.67638483018380384940e+0, 2.05319162663775882187e+0, 1.0};
  for (size_t i = 0; i < count; ++i) {
    const double r = sqrt(-normal_log(normal_probability(block.tails[i]))) - 1.6;
    block.extremes[i] = normal_polynomial(kC, r) / normal_polynomial(kD, r);
  }
  for (size_t i = 0; i < count; ++i) {
    const uint32_t place = block.places[i];
    uint64_t bits;
    memcpy(&bits, &block.extremes[i], sizeof bits);
    bits ^= static_cast<uint64_t>(~block.words[place] >> 31) << 63;  // negative below ½
    memcpy(&block.values[place], &bits, sizeof bits);
  }
}

inline void normal_f32(float* out, size_t count, uint64_t seed, uint64_t first, double std) {
  NormalBlock block;
  while (count > 0) {
    const size_t skipped = first % 4;
    const size_t used = NormalBlock::kSize - skipped < count ? NormalBlock::kSize - skipped : count;
    philox_words(block, first / 4, (skipped + used + 3) / 4, seed);
    normal_centers(block, skipped + used);
    normal_tails(block, find_normal_tails(block, skipped + used));
    for (size_t i = 0; i < used; ++i) out[i] = static_cast<float>(std * block.values[skipped + i]);
    out += used;
    first += used;
    count -= used;
  }
}

}  // namespace
}  // namespace bert_native
