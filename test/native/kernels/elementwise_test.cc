#include <cmath>

#include "kernels/support.h"

namespace bert_native::test {

namespace {

// These operations round once per addition or product, so every instruction set must give the very bits of the formula.

// Calls apply(x, others…) on guarded rows of every length and compares with expected(x[i], y[i], z[i]).
template <class Apply, class Expected>
void check_exactly(Apply apply, Expected expected) {
  Random random(31);
  for (const size_t n : row_lengths()) {
    const std::vector<float> x = random.uniforms(n, -3, 3), y = random.uniforms(n, -3, 3),
                             z = random.uniforms(n, -3, 3);
    Guarded row(x, n % 5);
    apply(row.data(), y.data(), z.data(), n);
    row.check_margins();
    for (size_t i = 0; i < n; ++i) {
      BN_CHECK(f32_bits(row[i]) == f32_bits(expected(x[i], y[i], z[i])),
               "element " + std::to_string(i) + " of " + std::to_string(n) + " is " + number(row[i]));
    }
  }
}

void adds_bias(const KernelTable& kernels) {
  check_exactly([&](float* x, const float* y, const float*, size_t n) { kernels.add_bias_f32(x, y, n); },
                [](float x, float y, float) { return x + y; });
}

void adds_bias_and_residual(const KernelTable& kernels) {
  check_exactly([&](float* x, const float* y, const float* z, size_t n) { kernels.add_bias_residual_f32(x, y, z, n); },
                [](float x, float y, float z) {
                  const float sum = x + y;
                  return sum + z;
                });
}

void adds(const KernelTable& kernels) {
  check_exactly([&](float* x, const float* y, const float*, size_t n) { kernels.add_f32(x, y, n); },
                [](float x, float y, float) { return x + y; });
}

void adds_the_other_way_round(const KernelTable& kernels) {
  Random random(36);
  for (const size_t n : row_lengths()) {
    const std::vector<float> x = random.uniforms(n, -3, 3), y = random.uniforms(n, -3, 3);
    Guarded row(x, n % 5);
    kernels.add_reversed_f32(row.data(), y.data(), n);
    row.check_margins();
    for (size_t i = 0; i < n; ++i) {
      BN_CHECK(f32_bits(row[i]) == f32_bits(x[i] + y[n - 1 - i]), "element " + std::to_string(i));
    }
  }
}

void takes_the_maximum(const KernelTable& kernels) {
  check_exactly([&](float* x, const float* y, const float*, size_t n) { kernels.max_f32(x, y, n); },
                [](float x, float y, float) { return x > y ? x : y; });
}

void scales(const KernelTable& kernels) {
  check_exactly([&](float* x, const float*, const float*, size_t n) { kernels.scale_f32(x, 0.3f, n); },
                [](float x, float, float) { return x * 0.3f; });
}

void takes_its_output_as_input(const KernelTable& kernels) {
  check_exactly([&](float* x, const float*, const float*, size_t n) { kernels.add_f32(x, x, n); },
                [](float x, float, float) { return x + x; });
  check_exactly([&](float* x, const float* y, const float*, size_t n) { kernels.add_bias_residual_f32(x, y, x, n); },
                [](float x, float y, float) {
                  const float sum = x + y;
                  return sum + x;
                });
  check_exactly([&](float* x, const float*, const float*, size_t n) { kernels.max_f32(x, x, n); },
                [](float x, float, float) { return x; });
}

void maximum_keeps_nan(const KernelTable& kernels) {
  for (const size_t n : row_lengths()) {
    for (size_t at = 0; at < n; at += 7) {
      std::vector<float> left(n, 1.0f), right(n, 2.0f);
      left[at] = NAN;
      kernels.max_f32(left.data(), right.data(), n);
      BN_CHECK(std::isnan(left[at]), "a NaN in out was lost");
      left.assign(n, -INFINITY);
      right[at] = NAN;
      kernels.max_f32(left.data(), right.data(), n);
      for (size_t i = 0; i < n; ++i) BN_CHECK(i == at ? std::isnan(left[i]) : left[i] == 2.0f, "NaN beside -inf");
    }
  }
}

void multiplies_integers_exactly(const KernelTable& kernels) {
  Random random(32);
  for (const size_t n : row_lengths()) {
    const std::vector<float> x = random.small_integers(n), y = random.small_integers(n);
    double expected = 0;
    for (size_t i = 0; i < n; ++i) expected += static_cast<double>(x[i]) * y[i];
    BN_CHECK(kernels.dot_f32(x.data(), y.data(), n) == expected, "n " + std::to_string(n));
  }
}

void multiplies_reals_within_the_rounding_bound(const KernelTable& kernels) {
  Random random(33);
  for (const size_t n : row_lengths()) {
    const std::vector<float> x = random.uniforms(n, -1, 1), y = random.uniforms(n, -1, 1);
    double expected = 0, magnitude = 0;
    for (size_t i = 0; i < n; ++i) {
      expected += static_cast<double>(x[i]) * y[i];
      magnitude += std::fabs(static_cast<double>(x[i]) * y[i]);
    }
    // Each element passes n/64 + 8 additions at most (four vectors of four lanes in the narrowest case: n/16 + 5).
    const double roundings = static_cast<double>(n) / 16 + 8;
    const float out = kernels.dot_f32(x.data(), y.data(), n);
    const float twin = scalar_kernels().dot_f32(x.data(), y.data(), n);
    BN_CHECK(std::fabs(out - expected) <= roundings * kUnitRoundoff * magnitude, "n " + std::to_string(n));
    BN_CHECK(std::fabs(out - twin) <= (roundings + 1) * kUnitRoundoff * magnitude,
             "differs from the scalar twin's for n " + std::to_string(n));
  }
}

void dot_ignores_alignment(const KernelTable& kernels) {
  Random random(34);
  for (const size_t n : {1, 15, 64, 67, 768}) {
    const std::vector<float> x = random.uniforms(n, -1, 1), y = random.uniforms(n, -1, 1);
    const float expected = kernels.dot_f32(x.data(), y.data(), n);
    for (size_t offset = 1; offset < 16; ++offset) {
      Guarded moved(x, offset);
      BN_CHECK(f32_bits(kernels.dot_f32(moved.data(), y.data(), n)) == f32_bits(expected),
               "bits depend on alignment for n " + std::to_string(n));
    }
  }
}

// Halves and neighbours alike: the pair's elements at a and b, its cosine and sine.
void check_pair(const std::string& what, const std::vector<float>& x, const Guarded& out, size_t a, size_t b,
                double cosine, double sine) {
  const double bound = 2 * kUnitRoundoff * (std::fabs(x[a]) + std::fabs(x[b]));
  BN_CHECK(std::fabs(out[a] - (x[a] * cosine - x[b] * sine)) <= bound, what + ", element " + std::to_string(a));
  BN_CHECK(std::fabs(out[b] - (x[b] * cosine + x[a] * sine)) <= bound, what + ", element " + std::to_string(b));
}

void rotates_pairs(const KernelTable& kernels) {
  Random random(35);
  for (const size_t pairs : row_lengths()) {
    const std::vector<float> x = random.uniforms(2 * pairs, -3, 3);
    const std::vector<float> angles = random.uniforms(pairs, -3, 3);
    std::vector<float> cosines(pairs), sines(pairs), twice(2 * pairs), with_signs(2 * pairs);
    for (size_t i = 0; i < pairs; ++i) {
      cosines[i] = twice[2 * i] = twice[2 * i + 1] = std::cos(angles[i]);
      sines[i] = with_signs[2 * i + 1] = std::sin(angles[i]);
      with_signs[2 * i] = -sines[i];
    }
    Guarded halves(x, pairs % 5), neighbours(x, pairs % 5);
    kernels.rotate_halves_f32(halves.data(), cosines.data(), sines.data(), pairs);
    kernels.rotate_neighbours_f32(neighbours.data(), twice.data(), with_signs.data(), 2 * pairs);
    halves.check_margins();
    neighbours.check_margins();
    for (size_t i = 0; i < pairs; ++i) {
      check_pair("halves", x, halves, i, pairs + i, cosines[i], sines[i]);
      check_pair("neighbours", x, neighbours, 2 * i, 2 * i + 1, cosines[i], sines[i]);
    }
  }
}

void add_tests() {
  add_kernel_test("add_bias_f32: exact", adds_bias);
  add_kernel_test("add_bias_residual_f32: exact", adds_bias_and_residual);
  add_kernel_test("add_f32: exact", adds);
  add_kernel_test("add_reversed_f32: exact", adds_the_other_way_round);
  add_kernel_test("max_f32: exact", takes_the_maximum);
  add_kernel_test("max_f32: NaN on either side stays", maximum_keeps_nan);
  add_kernel_test("scale_f32: exact", scales);
  add_kernel_test("add_f32, add_bias_residual_f32, max_f32: an input may be the output", takes_its_output_as_input);
  add_kernel_test("dot_f32: small integers multiply exactly", multiplies_integers_exactly);
  add_kernel_test("dot_f32: reals multiply within the rounding bound", multiplies_reals_within_the_rounding_bound);
  add_kernel_test("rotate_halves_f32, rotate_neighbours_f32: within the rounding bound", rotates_pairs);
  add_kernel_test("dot_f32: bits do not depend on alignment", dot_ignores_alignment);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
