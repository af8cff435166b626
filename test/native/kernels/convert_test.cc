#include <cfloat>
#include <cmath>

#include "common/compiler.h"
#include "kernels/support.h"

#if BN_X86_64
#include <xmmintrin.h>
#endif

namespace bert_native::test {

namespace {

// Runs `body` as usual, then, where this can be set, with subnormal results flushed to zero and subnormal operands read
// as zero: a mode that other libraries of a host program may have left the thread in.
template <class Body>
void in_both_flush_modes(Body body) {
  body();
#if BN_X86_64
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x40;
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | kFlushToZero | kDenormalsAreZero);
  try {
    body();
  } catch (...) {
    _mm_setcsr(saved);
    throw;
  }
  _mm_setcsr(saved);
#endif
}

// The bits of an f16 value as f32, by its definition: (-1)^s 2^(e-15) (1 + f/2^10), or 2^-14 f/2^10 for e = 0.
uint32_t expected_f16_bits(uint16_t x) {
  const uint32_t sign = x >> 15, exponent = x >> 10 & 0x1f, fraction = x & 0x3ff;
  if (exponent == 0x1f) {
    const uint32_t quiet = fraction != 0 ? 0x400000u : 0;
    return sign << 31 | 0x7f800000u | quiet | fraction << 13;
  }
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, static_cast<int>(exponent) - 25);
  return sign << 31 | f32_bits(static_cast<float>(magnitude));
}

void widens_every_f16(const KernelTable& kernels) {
  std::vector<uint16_t> x(0x10000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i);
  in_both_flush_modes([&] {
    std::vector<float> out(x.size());
    kernels.f16_to_f32(out.data(), x.data(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      BN_CHECK(f32_bits(out[i]) == expected_f16_bits(x[i]),
               "f16 bits " + std::to_string(i) + " give " + number(out[i]));
    }
  });
}

void widens_every_bf16(const KernelTable& kernels) {
  std::vector<uint16_t> x(0x10000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint16_t>(i);
  std::vector<float> out(x.size());
  kernels.bf16_to_f32(out.data(), x.data(), x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    BN_CHECK(f32_bits(out[i]) == static_cast<uint32_t>(i) << 16, "bf16 bits " + std::to_string(i));
  }
}

// Values around every boundary of f32, and random ones of f32's range and of all of f64's.
std::vector<double> f64_values() {
  Random random(41);
  std::vector<double> x = {0.0, -0.0, INFINITY, -INFINITY, NAN, DBL_MAX, -DBL_MAX, DBL_MIN, 4.9e-324, -4.9e-324};
  for (const double boundary : {1.0, 0x1p-126, 0x1p-149, 0x1p-150, 0x1.fffffep127, 0x1.ffffffp127, 0x1p128, 0x1.8p-149,
                                0x1.fffffcp-127, 0x1.fffffep-127, 0x1.000001p0, 0x1.000003p0, 0x1p-140, 3 * 0x1p-150}) {
    for (const double value : {boundary, std::nextafter(boundary, 0), std::nextafter(boundary, DBL_MAX)}) {
      x.push_back(value);
      x.push_back(-value);
    }
  }
  for (int i = 0; i < 20000; ++i) {
    const double mantissa = 1 + static_cast<double>(random.bits() >> 12) * 0x1p-52;
    const double value = std::ldexp(mantissa, static_cast<int>(random.bits() % 300) - 160);
    x.push_back(random.bits() % 2 == 0 ? value : -value);
    // Half-way between two f32, normal or not: the tie goes to the even one.
    x.push_back(std::ldexp(std::floor(std::ldexp(mantissa, 23)) + 0.5, static_cast<int>(random.bits() % 200) - 160));
    x.push_back(std::ldexp(static_cast<double>(random.bits() >> 41) + 0.5, -149));
    double any;
    const uint64_t bits = random.bits();
    std::memcpy(&any, &bits, sizeof any);
    x.push_back(any);
  }
  return x;
}

void rounds_f64_to_nearest_even(const KernelTable& kernels) {
  const std::vector<double> x = f64_values();
  std::vector<float> expected;
  for (const double value : x) expected.push_back(static_cast<float>(value));
  in_both_flush_modes([&] {
    std::vector<float> out(x.size());
    kernels.f64_to_f32(out.data(), x.data(), x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      BN_CHECK(f32_bits(out[i]) == f32_bits(expected[i]) || (x[i] != x[i] && out[i] != out[i]),
               "double " + std::to_string(i) + " (" + number(x[i]) + ") gives " + number(out[i]));
    }
  });
}

template <class Stored>
void check_lengths(void (*convert)(float*, const Stored*, size_t), const std::vector<Stored>& source) {
  std::vector<float> whole(source.size());
  convert(whole.data(), source.data(), source.size());
  for (const size_t n : row_lengths()) {
    const std::vector<Stored> part(source.begin(), source.begin() + static_cast<std::ptrdiff_t>(n));
    Guarded out(std::vector<float>(n, 7.0f), n % 5);
    convert(out.data(), part.data(), n);
    out.check_margins();
    for (size_t i = 0; i < n; ++i)
      BN_CHECK(out[i] == whole[i], "element " + std::to_string(i) + " of " + std::to_string(n));
  }
}

void converts_any_length(const KernelTable& kernels) {
  Random random(42);
  std::vector<uint16_t> halves(4000);
  for (uint16_t& half : halves) half = static_cast<uint16_t>(random.bits() % 0x7c00);
  std::vector<double> doubles(4000);
  for (double& value : doubles) value = random.uniform(-1, 1) * 1.0000001;
  check_lengths(kernels.f16_to_f32, halves);
  check_lengths(kernels.bf16_to_f32, halves);
  check_lengths(kernels.f64_to_f32, doubles);
}

void add_tests() {
  add_kernel_test("f16_to_f32: every bit pattern, in both flush modes", widens_every_f16);
  add_kernel_test("bf16_to_f32: every bit pattern", widens_every_bf16);
  add_kernel_test("f64_to_f32: nearest even, subnormals too, in both flush modes", rounds_f64_to_nearest_even);
  add_kernel_test("f16_to_f32, bf16_to_f32, f64_to_f32: any length", converts_any_length);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
