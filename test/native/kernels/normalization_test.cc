#include <algorithm>
#include <cmath>

#include "kernels/support.h"

namespace bert_native::test {

namespace {

struct LayerNormRow {
  std::vector<float> x, gamma, beta;
  float eps;

  std::vector<float> normalized(const KernelTable& kernels, size_t offset = 0) const {
    Guarded out(std::vector<float>(x.size(), NAN), offset);
    kernels.layer_norm_f32(out.data(), x.data(), gamma.data(), beta.data(), eps, x.size());
    out.check_margins();
    return out.values();
  }
};

// With the magnitude of the terms that are added up for each element.
struct Reference {
  std::vector<double> out, magnitude;
};

Reference layer_norm(const LayerNormRow& row) {
  const double n = static_cast<double>(row.x.size());
  double mean = 0, variance = 0;
  for (const float value : row.x) mean += value / n;
  for (const float value : row.x) variance += (value - mean) * (value - mean) / n;
  const double rstd = 1 / std::sqrt(variance + row.eps);
  Reference reference;
  for (size_t i = 0; i < row.x.size(); ++i) {
    const double scaled = (row.x[i] - mean) * rstd * row.gamma[i];
    reference.out.push_back(scaled + row.beta[i]);
    reference.magnitude.push_back(std::fabs(scaled) + std::fabs(row.gamma[i]) + std::fabs(row.beta[i]));
  }
  return reference;
}

// Largest error in units of u·(|γ x̂| + |γ| + |β|).
double layer_norm_error(const KernelTable& kernels, const LayerNormRow& row) {
  const std::vector<float> out = row.normalized(kernels, row.x.size() % 5);
  const Reference reference = layer_norm(row);
  double worst = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const double error = std::fabs(out[i] - reference.out[i]) / (kUnitRoundoff * reference.magnitude[i]);
    BN_CHECK(error <= 8, "element " + std::to_string(i) + " of " + std::to_string(out.size()) + " is " +
                             number(out[i]) + ", expected " + number(reference.out[i]));
    worst = std::max(worst, error);
  }
  return worst;
}

LayerNormRow random_row(Random& random, size_t n, float mean, float deviation) {
  return {random.uniforms(n, mean - deviation, mean + deviation), random.uniforms(n, -2, 2), random.uniforms(n, -1, 1),
          1e-12f};
}

void layer_norm_keeps_the_accuracy(const KernelTable& kernels) {
  Random random(21);
  double worst = 0;
  for (const size_t n : row_lengths()) {
    if (n == 1) continue;
    worst = std::max(worst, layer_norm_error(kernels, random_row(random, n, 0, 1)));
    worst = std::max(worst, layer_norm_error(kernels, random_row(random, n, 100, 1)));
    LayerNormRow outliers = random_row(random, n, 0, 1);
    for (size_t i = 0; i < n; i += 61) outliers.x[i] *= 50;
    worst = std::max(worst, layer_norm_error(kernels, outliers));
  }
  note("largest error " + number(worst) + " roundings of |gamma x| + |gamma| + |beta|");
}

void layer_norm_of_equal_values_is_beta(const KernelTable& kernels) {
  for (const size_t n : row_lengths()) {
    for (const float value : {0.0f, 0.1f, -123.456f}) {
      const LayerNormRow row{std::vector<float>(n, value), std::vector<float>(n, 3.0f), std::vector<float>(n, 0.5f),
                             1e-12f};
      for (const float out : row.normalized(kernels)) {
        BN_CHECK(std::fabs(out - 0.5f) <= 1e-5f,
                 "n " + std::to_string(n) + " of " + number(value) + " gives " + number(out));
      }
    }
  }
}

void layer_norm_may_overwrite_its_input(const KernelTable& kernels) {
  Random random(22);
  for (const size_t n : row_lengths()) {
    const LayerNormRow row = random_row(random, n, 1, 2);
    Guarded in_place(row.x, n % 3);
    kernels.layer_norm_f32(in_place.data(), in_place.data(), row.gamma.data(), row.beta.data(), row.eps, n);
    in_place.check_margins();
    BN_CHECK(same_bits(in_place.values(), row.normalized(kernels)), "differs in place for n " + std::to_string(n));
  }
}

void layer_norm_ignores_alignment(const KernelTable& kernels) {
  Random random(23);
  for (const size_t n : {1, 15, 64, 67, 768}) {
    const LayerNormRow row = random_row(random, n, 0, 1);
    const std::vector<float> expected = row.normalized(kernels);
    for (size_t offset = 1; offset < 16; ++offset) {
      LayerNormRow moved = row;
      moved.x.insert(moved.x.begin(), offset, 5.0f);
      Guarded out(std::vector<float>(n, NAN), offset);
      kernels.layer_norm_f32(out.data(), moved.x.data() + offset, row.gamma.data(), row.beta.data(), row.eps, n);
      BN_CHECK(same_bits(out.values(), expected), "bits depend on alignment for n " + std::to_string(n));
    }
  }
}

void layer_norm_agrees_with_the_scalar_twin(const KernelTable& kernels) {
  Random random(24);
  for (const size_t n : row_lengths()) {
    if (n == 1) continue;
    const LayerNormRow row = random_row(random, n, 3, 1);
    const std::vector<float> out = row.normalized(kernels), twin = row.normalized(scalar_kernels());
    const std::vector<double> magnitude = layer_norm(row).magnitude;
    for (size_t i = 0; i < n; ++i) {
      BN_CHECK(std::fabs(static_cast<double>(out[i]) - twin[i]) <= 10 * kUnitRoundoff * magnitude[i],
               "element " + std::to_string(i) + " of " + std::to_string(n) + " differs from the scalar twin's");
    }
  }
}

std::vector<float> softmax(const KernelTable& kernels, const std::vector<float>& x, float scale, size_t offset = 0) {
  Guarded row(x, offset);
  kernels.softmax_f32(row.data(), scale, x.size());
  row.check_margins();
  return row.values();
}

// 16 roundings, plus those of the exponent, whose absolute error is the relative error of the result.
double softmax_bound(double scaled, double maximum) {
  return kUnitRoundoff * (16 + 2 * (std::fabs(scaled) + std::fabs(maximum)));
}

void softmax_keeps_the_accuracy(const KernelTable& kernels) {
  Random random(25);
  double worst = 0;
  for (const size_t n : row_lengths()) {
    for (const float range : {1.0f, 10.0f, 200.0f}) {
      for (const float scale : {1.0f, 0.125f, 0.3f}) {
        const std::vector<float> x = random.uniforms(n, -range, range);
        const std::vector<float> out = softmax(kernels, x, scale, n % 5);
        const double maximum = static_cast<double>(scale) * *std::max_element(x.begin(), x.end());
        double sum = 0;
        for (const float value : x) sum += std::exp(static_cast<double>(scale) * value - maximum);
        for (size_t i = 0; i < n; ++i) {
          const double scaled = static_cast<double>(scale) * x[i];
          const double expected = std::exp(scaled - maximum) / sum;
          const double error = std::fabs(out[i] - expected);
          BN_CHECK(error <= softmax_bound(scaled, maximum) * expected + 0x1p-148,
                   "element " + std::to_string(i) + " of " + std::to_string(n) + " is " + number(out[i]) +
                       ", expected " + number(expected));
          if (range <= 10 && expected > 1e-30) worst = std::max(worst, error / expected);
        }
      }
    }
  }
  note("largest relative error " + number(worst) + " for scores of [-10, 10]");
}

// With the larger score at zero and the other below -17.4 the sum is 1, and the second result e^x itself.
void softmax_has_an_exact_exponential(const KernelTable& kernels) {
  double worst = 0;
  for (int i = 0; i < 400000; ++i) {
    const float x = static_cast<float>(-17.4 - i * 2.2e-4);
    const float out = softmax(kernels, {0.0f, x}, 1.0f)[1];
    const double expected = std::exp(static_cast<double>(x));
    const double ulp = std::max(std::ldexp(1.0, std::ilogb(expected) - 23), 0x1p-149);
    const double error = std::fabs(out - expected) / ulp;
    BN_CHECK(error <= 2, "exp(" + number(x) + ") is off by " + number(error) + " ulp");
    worst = std::max(worst, error);
  }
  note("largest error of the exponential " + number(worst) + " ulp over [-105.4, -17.4]");
}

void softmax_handles_special_values(const KernelTable& kernels) {
  for (const size_t n : row_lengths()) {
    std::vector<float> x(n, -INFINITY);
    x[n / 2] = -3.0f;
    std::vector<float> out = softmax(kernels, x, 0.25f);
    for (size_t i = 0; i < n; ++i) {
      BN_CHECK(out[i] == (i == n / 2 ? 1.0f : 0.0f), "-inf beside a finite score, n " + std::to_string(n));
    }
    out = softmax(kernels, std::vector<float>(n, 1e30f), 1.0f);
    for (const float value : out) {
      BN_CHECK(std::fabs(value * static_cast<float>(n) - 1) <= 1e-6f, "equal scores, n " + std::to_string(n));
    }
    x.assign(n, 0.0f);
    x[n - 1] = NAN;
    for (const float value : softmax(kernels, x, 1.0f)) {
      BN_CHECK(std::isnan(value), "NaN did not spread, n " + std::to_string(n));
    }
    for (const float value : softmax(kernels, std::vector<float>(n, -INFINITY), 1.0f)) {
      BN_CHECK(std::isnan(value), "nothing but -inf must give NaN, n " + std::to_string(n));
    }
  }
}

void softmax_ignores_alignment(const KernelTable& kernels) {
  Random random(26);
  for (const size_t n : {1, 15, 64, 67, 512}) {
    const std::vector<float> x = random.uniforms(n, -5, 5);
    const std::vector<float> expected = softmax(kernels, x, 0.125f);
    for (size_t offset = 1; offset < 16; ++offset) {
      BN_CHECK(same_bits(softmax(kernels, x, 0.125f, offset), expected),
               "bits depend on alignment for n " + std::to_string(n));
    }
  }
}

void softmax_agrees_with_the_scalar_twin(const KernelTable& kernels) {
  Random random(27);
  for (const size_t n : row_lengths()) {
    const std::vector<float> x = random.uniforms(n, -40, 40);
    const std::vector<float> out = softmax(kernels, x, 0.125f), twin = softmax(scalar_kernels(), x, 0.125f);
    for (size_t i = 0; i < n; ++i) {
      BN_CHECK(std::fabs(out[i] - twin[i]) <= 2 * softmax_bound(5, 5) * twin[i],
               "element " + std::to_string(i) + " of " + std::to_string(n) + " differs from the scalar twin's");
    }
  }
}

// A row cut into parts of `length` elements, put together again.
std::vector<float> softmax_in_parts(const KernelTable& kernels, const std::vector<float>& x, float scale,
                                    size_t length) {
  Guarded row(x, x.size() % 7);
  float maximum = -INFINITY, sum = 0;
  for (size_t begin = 0; begin < x.size(); begin += length) {
    const size_t n = std::min(length, x.size() - begin);
    const float correction = kernels.softmax_part_f32(row.data() + begin, scale, n, &maximum, &sum);
    for (size_t i = 0; i < begin; ++i) row.data()[i] *= correction;
  }
  row.check_margins();
  std::vector<float> out = row.values();
  for (float& value : out) value /= sum;
  return out;
}

void softmax_in_parts_keeps_the_accuracy(const KernelTable& kernels) {
  Random random(28);
  for (const size_t n : row_lengths()) {
    for (const float range : {1.0f, 10.0f, 200.0f}) {
      const float scale = 0.3f;
      std::vector<float> x = random.uniforms(n, -range, range);
      // Maxima that rise, so that every part corrects those before it.
      if (n % 2 == 0) std::sort(x.begin(), x.end());
      const double maximum = static_cast<double>(scale) * *std::max_element(x.begin(), x.end());
      double sum = 0;
      for (const float value : x) sum += std::exp(static_cast<double>(scale) * value - maximum);
      for (const size_t length : {size_t{1}, size_t{5}, size_t{64}, size_t{512}}) {
        const std::vector<float> out = softmax_in_parts(kernels, x, scale, length);
        const double parts = std::ceil(static_cast<double>(n) / static_cast<double>(length));
        for (size_t i = 0; i < n; ++i) {
          const double scaled = static_cast<double>(scale) * x[i];
          const double expected = std::exp(scaled - maximum) / sum;
          // Each correction and each addition of a part's sum rounds a few times more, and what becomes subnormal on
          // the way loses digits.
          const double bound = (softmax_bound(scaled, maximum) + 8 * parts * kUnitRoundoff) * expected;
          BN_CHECK(std::fabs(out[i] - expected) <= bound + parts * 0x1p-148,
                   "element " + std::to_string(i) + " of " + std::to_string(n) + " in parts of " +
                       std::to_string(length) + " is " + number(out[i]) + ", expected " + number(expected));
        }
      }
    }
  }
}

void softmax_in_parts_handles_special_values(const KernelTable& kernels) {
  for (const size_t n : row_lengths()) {
    for (const size_t length : {size_t{1}, size_t{7}, size_t{64}}) {
      for (const size_t at : {size_t{0}, n / 2, n - 1}) {
        std::vector<float> x(n, -INFINITY);
        x[at] = -3.0f;
        const std::vector<float> out = softmax_in_parts(kernels, x, 0.25f, length);
        for (size_t i = 0; i < n; ++i) {
          BN_CHECK(out[i] == (i == at ? 1.0f : 0.0f), "-inf beside a finite score, n " + std::to_string(n));
        }
        x.assign(n, 0.0f);
        x[at] = NAN;
        for (const float value : softmax_in_parts(kernels, x, 1.0f, length)) {
          BN_CHECK(std::isnan(value), "NaN did not spread, n " + std::to_string(n));
        }
      }
      for (const float value : softmax_in_parts(kernels, std::vector<float>(n, -INFINITY), 1.0f, length)) {
        BN_CHECK(std::isnan(value), "nothing but -inf must give NaN, n " + std::to_string(n));
      }
    }
  }
}

// The maximum and the sum are known: a second pass gives the same values again.
void softmax_part_repeats_itself(const KernelTable& kernels) {
  Random random(29);
  const std::vector<float> x = random.uniforms(300, -20, 20);
  std::vector<float> first = x, second = x;
  float maximum = -INFINITY, sum = 0;
  kernels.softmax_part_f32(first.data(), 0.125f, 300, &maximum, &sum);
  const float known = maximum;
  float ignored = 0;
  BN_CHECK(kernels.softmax_part_f32(second.data(), 0.125f, 300, &maximum, &ignored) == 1, "the correction is not 1");
  BN_CHECK(maximum == known && same_bits(first, second), "the second pass differs");
}

void softmax_part_agrees_with_the_scalar_twin(const KernelTable& kernels) {
  Random random(30);
  for (const size_t n : row_lengths()) {
    const std::vector<float> x = random.uniforms(n, -40, 40);
    const std::vector<float> out = softmax_in_parts(kernels, x, 0.125f, 32);
    const std::vector<float> twin = softmax_in_parts(scalar_kernels(), x, 0.125f, 32);
    const double parts = std::ceil(static_cast<double>(n) / 32);
    for (size_t i = 0; i < n; ++i) {
      BN_CHECK(std::fabs(out[i] - twin[i]) <= (2 * softmax_bound(5, 5) + 16 * parts * kUnitRoundoff) * twin[i],
               "element " + std::to_string(i) + " of " + std::to_string(n) + " differs from the scalar twin's");
    }
  }
}

void softmax_part_ignores_alignment(const KernelTable& kernels) {
  Random random(31);
  for (const size_t n : {1, 15, 64, 67, 512}) {
    const std::vector<float> x = random.uniforms(n, -5, 5);
    std::vector<float> expected;
    for (size_t offset = 0; offset < 16; ++offset) {
      Guarded row(x, offset);
      float maximum = 0.25f, sum = 3;
      const float correction = kernels.softmax_part_f32(row.data(), 0.125f, n, &maximum, &sum);
      row.check_margins();
      std::vector<float> all = row.values();
      all.insert(all.end(), {maximum, sum, correction});
      if (offset == 0) expected = all;
      BN_CHECK(same_bits(all, expected), "bits depend on alignment for n " + std::to_string(n));
    }
  }
}

void add_tests() {
  add_kernel_test("layer_norm_f32: accuracy", layer_norm_keeps_the_accuracy);
  add_kernel_test("layer_norm_f32: a row of equal values gives beta", layer_norm_of_equal_values_is_beta);
  add_kernel_test("layer_norm_f32: out may be the input", layer_norm_may_overwrite_its_input);
  add_kernel_test("layer_norm_f32: bits do not depend on alignment", layer_norm_ignores_alignment);
  add_kernel_test("layer_norm_f32: agrees with the scalar twin", layer_norm_agrees_with_the_scalar_twin);
  add_kernel_test("softmax_f32: accuracy", softmax_keeps_the_accuracy);
  add_kernel_test("softmax_f32: the exponential within 2 ulp", softmax_has_an_exact_exponential);
  add_kernel_test("softmax_f32: -inf, NaN, equal and large scores", softmax_handles_special_values);
  add_kernel_test("softmax_f32: bits do not depend on alignment", softmax_ignores_alignment);
  add_kernel_test("softmax_f32: agrees with the scalar twin", softmax_agrees_with_the_scalar_twin);
  add_kernel_test("softmax_part_f32: accuracy", softmax_in_parts_keeps_the_accuracy);
  add_kernel_test("softmax_part_f32: -inf and NaN", softmax_in_parts_handles_special_values);
  add_kernel_test("softmax_part_f32: a second pass gives the same bits", softmax_part_repeats_itself);
  add_kernel_test("softmax_part_f32: bits do not depend on alignment", softmax_part_ignores_alignment);
  add_kernel_test("softmax_part_f32: agrees with the scalar twin", softmax_part_agrees_with_the_scalar_twin);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
