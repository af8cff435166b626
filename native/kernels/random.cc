#include "kernels/random.h"

#include <bit>
#include <cmath>

namespace bert_native {

namespace {

// Horner's rule. coefficients: highest power first.
template <size_t N>
double polynomial(const double (&coefficients)[N], double x) {
  double sum = coefficients[0];
  for (size_t i = 1; i < N; ++i) sum = sum * x + coefficients[i];
  return sum;
}

// The natural logarithm of a positive normal number. The C library's may differ between machines in the last bit.
//   w = m 2ᵉ with m in [√½, √2), s = (m - 1) / (m + 1):   log w = e log 2 + 2 (s + s³/3 + s⁵/5 + … + s²¹/21)
double exact_log(double w) {
  static constexpr double kSeries[] = {1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15, 1.0 / 13,
                                       1.0 / 11, 1.0 / 9,  1.0 / 7,  1.0 / 5,  1.0 / 3};
  constexpr uint64_t kFractionMask = (uint64_t{1} << 52) - 1;
  constexpr uint64_t kExponentOfOne = uint64_t{1023} << 52;
  constexpr double kSqrt2 = 1.4142135623730951, kLog2 = 0.6931471805599453;

  const uint64_t bits = std::bit_cast<uint64_t>(w);
  double exponent = static_cast<double>(static_cast<int64_t>(bits >> 52) - 1023);
  double m = std::bit_cast<double>((bits & kFractionMask) | kExponentOfOne);
  if (m >= kSqrt2) {
    m *= 0.5;
    exponent += 1;
  }
  const double s = (m - 1) / (m + 1);
  const double square = s * s;
  return exponent * kLog2 + 2 * s * (1 + square * polynomial(kSeries, square));
}

// The standard normal quantile of p, 2⁻³³ ≤ p ≤ 1 - 2⁻³³. The third of the algorithm's rational functions, for p below
// e⁻²⁵, is out of a 32-bit word's reach.   Wichura 1988, "Algorithm AS 241", Applied Statistics 37, PPND16
double normal_quantile(double p) {
  static constexpr double kA[] = {2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4,
                                  4.5921953931549871457e+4, 1.3731693765509461125e+4, 1.9715909503065514427e+3,
                                  1.3314166789178437745e+2, 3.3871328727963666080e+0};
  static constexpr double kB[] = {
      5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
      5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1.0};
  static constexpr double kC[] = {7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
                                  1.27045825245236838258e+0, 3.64784832476320460504e+0, 5.76949722146069140550e+0,
                                  4.63033784615654529590e+0, 1.42343711074968357734e+0};
  static constexpr double kD[] = {
      1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
      6.89767334985100004550e-1, 1.67638483018380384940e+0, 2.05319162663775882187e+0, 1.0};
  const double q = p - 0.5;
  if (std::fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(kA, r) / polynomial(kB, r);
  }
  const double r = std::sqrt(-exact_log(q < 0 ? p : 1 - p)) - 1.6;
  const double quantile = polynomial(kC, r) / polynomial(kD, r);
  return q < 0 ? -quantile : quantile;
}

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  constexpr uint64_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
  constexpr uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = kMultiplier0 * counter[0], product1 = kMultiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

void normal_values(float* out, size_t count, uint64_t seed, uint64_t first, double std) {
  const std::array<uint32_t, 2> key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  std::array<uint32_t, 4> words{};
  for (size_t i = 0; i < count; ++i) {
    const uint64_t index = first + i;
    if (i == 0 || index % 4 == 0) {
      words = philox4x32({static_cast<uint32_t>(index / 4), static_cast<uint32_t>(index / 4 >> 32), 0, 0}, key);
    }
    const double u = (words[index % 4] + 0.5) * 0x1p-32;
    out[i] = static_cast<float>(std * normal_quantile(u));
  }
}

}  // namespace bert_native
