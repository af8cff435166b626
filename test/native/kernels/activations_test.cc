#include <algorithm>
#include <cfloat>
#include <cmath>

#include "kernels/support.h"

namespace bert_native::test {

namespace {

// The double-precision definitions, each in the form that loses nothing where its result is small.

double x_sigmoid(double x, double y) { return x < -1e3 ? -0.0 : x / (1 + std::exp(-y)); }

double gelu_erf(double x) { return x < -1e3 ? -0.0 : 0.5 * x * std::erfc(-x * 0.70710678118654752440); }

double gelu_tanh(double x) { return x_sigmoid(x, 1.5957691216057307117 * (x + 0.044715 * x * x * x)); }

double quick_gelu(double x) { return x_sigmoid(x, 1.702 * x); }

double relu(double x) { return x < 0 ? 0 : x; }

double silu(double x) { return x_sigmoid(x, x); }

struct NamedActivation {
  Activation activation;
  const char* name;
  double (*definition)(double);
};

constexpr NamedActivation kActivations[kActivationCount] = {
    {Activation::kGeluErf, "gelu_erf", gelu_erf},
    {Activation::kGeluTanh, "gelu_tanh", gelu_tanh},
    {Activation::kQuickGelu, "quick_gelu", quick_gelu},
    {Activation::kRelu, "relu", relu},
    {Activation::kSilu, "silu", silu},
    {Activation::kTanh, "tanh", [](double x) { return std::tanh(x); }},
};

std::vector<float> activate(const KernelTable& kernels, Activation activation, std::vector<float> x) {
  const std::vector<float> bias(x.size(), 0.0f);
  kernels.add_bias_activate_f32[static_cast<size_t>(activation)](x.data(), bias.data(), x.size());
  return x;
}

// Every kPatternStep-th f32 of both signs, and [-24, 24] evenly.
std::vector<float> sweep() {
  constexpr uint32_t kPatternStep = 1021, kLargest = 0x7f7fffffu;
  std::vector<float> x;
  for (uint32_t bits = 0; bits <= kLargest; bits += kPatternStep) {
    x.push_back(f32_from_bits(bits));
    x.push_back(-f32_from_bits(bits));
  }
  for (int i = -300000; i <= 300000; ++i) x.push_back(static_cast<float>(i * 8e-5));
  return x;
}

// The bars: an absolute error of 2e-7·max(1, |x|), and a relative one of 1e-6 unless the result is negligibly small.
void keeps_the_accuracy(const KernelTable& kernels) {
  const std::vector<float> x = sweep();
  for (const NamedActivation& named : kActivations) {
    const std::vector<float> y = activate(kernels, named.activation, x);
    double worst_absolute = 0, worst_relative = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = named.definition(x[i]);
      const double error = std::fabs(y[i] - expected);
      const double absolute = error / std::max(1.0, std::fabs(static_cast<double>(x[i])));
      const double relative = std::fabs(expected) > 1e-30 ? error / std::fabs(expected) : 0;
      BN_CHECK(absolute <= 2e-7 && relative <= 1e-6, std::string(named.name) + "(" + number(x[i]) + ") is " +
                                                         number(y[i]) + ", expected " + number(expected) + ", off by " +
                                                         number(error));
      worst_absolute = std::max(worst_absolute, absolute);
      worst_relative = std::max(worst_relative, relative);
    }
    note(std::string(named.name) + ": error at most " + number(worst_absolute) + " absolute (per max(1, |x|)), " +
         number(worst_relative) + " relative");
  }
}

void has_the_right_limits(const KernelTable& kernels) {
  for (const NamedActivation& named : kActivations) {
    const bool is_tanh = named.activation == Activation::kTanh;
    for (const float large : {40.0f, 200.0f, 1e10f, FLT_MAX, INFINITY}) {
      const std::vector<float> y = activate(kernels, named.activation, {large, -large});
      BN_CHECK(y[0] == (is_tanh ? 1.0f : large),
               std::string(named.name) + "(" + number(large) + ") is " + number(y[0]));
      // x σ(1.702 x) and x σ(x) die away slowly: at -40 they are not zero yet.
      const bool dies_slowly = named.activation == Activation::kSilu || named.activation == Activation::kQuickGelu;
      if (dies_slowly && large == 40.0f) continue;
      BN_CHECK(y[1] == (is_tanh ? -1.0f : 0.0f),
               std::string(named.name) + "(" + number(-large) + ") is " + number(y[1]));
    }
    const std::vector<float> y = activate(kernels, named.activation, {NAN, 0.0f, -0.0f, 1e-42f});
    BN_CHECK(std::isnan(y[0]), std::string(named.name) + "(NaN) is " + number(y[0]));
    BN_CHECK(y[1] == 0.0f && y[2] == 0.0f, std::string(named.name) + "(0) is not 0");
    BN_CHECK(y[3] >= 0 && y[3] <= 1e-42f, std::string(named.name) + " of a subnormal is " + number(y[3]));
  }
}

// Also that the bias is added first, that nothing outside the row is written, and that the bits of an element do not
// depend on where it stands.
void works_on_rows_of_any_length(const KernelTable& kernels) {
  Random random(11);
  for (const NamedActivation& named : kActivations) {
    const auto kernel = kernels.add_bias_activate_f32[static_cast<size_t>(named.activation)];
    for (const size_t n : row_lengths()) {
      const std::vector<float> x = random.uniforms(n, -6, 6), bias = random.uniforms(n, -1, 1);
      Guarded row(x, n % 5);
      kernel(row.data(), bias.data(), n);
      row.check_margins();
      for (size_t i = 0; i < n; ++i) {
        float alone = x[i] + bias[i];
        const float zero = 0.0f;
        kernel(&alone, &zero, 1);
        BN_CHECK(f32_bits(row[i]) == f32_bits(alone),
                 std::string(named.name) + ": element " + std::to_string(i) + " of " + std::to_string(n) + " differs");
      }
    }
  }
}

void agrees_with_the_scalar_twin(const KernelTable& kernels) {
  Random random(12);
  const std::vector<float> x = random.uniforms(20000, -12, 12);
  for (const NamedActivation& named : kActivations) {
    const std::vector<float> y = activate(kernels, named.activation, x);
    const std::vector<float> twin = activate(scalar_kernels(), named.activation, x);
    for (size_t i = 0; i < x.size(); ++i) {
      BN_CHECK(std::fabs(y[i] - twin[i]) <= 1e-6f * std::fabs(twin[i]) + 1e-30f,
               std::string(named.name) + "(" + number(x[i]) + ") differs from the scalar twin's");
    }
  }
}

// The product of what add_bias_activate_f32 and add_bias_f32 give, to the last bit.
void gates_are_products(const KernelTable& kernels) {
  Random random(13);
  for (const NamedActivation& named : kActivations) {
    const size_t index = static_cast<size_t>(named.activation);
    for (const size_t n : row_lengths()) {
      const std::vector<float> x = random.uniforms(n, -6, 6), x_bias = random.uniforms(n, -1, 1);
      const std::vector<float> y = random.uniforms(n, -3, 3), y_bias = random.uniforms(n, -1, 1);
      std::vector<float> activated = x, added = y;
      kernels.add_bias_activate_f32[index](activated.data(), x_bias.data(), n);
      kernels.add_bias_f32(added.data(), y_bias.data(), n);
      Guarded row(x, n % 3);
      kernels.gate_f32[index](row.data(), x_bias.data(), y.data(), y_bias.data(), n);
      row.check_margins();
      for (size_t i = 0; i < n; ++i) {
        BN_CHECK(row[i] == activated[i] * added[i], std::string(named.name) + ": element " + std::to_string(i) +
                                                        " of " + std::to_string(n) + " is " + number(row[i]));
      }
    }
  }
}

void add_tests() {
  add_kernel_test("gate_f32: products of two rows", gates_are_products);
  add_kernel_test("add_bias_activate_f32: accuracy over all of f32", keeps_the_accuracy);
  add_kernel_test("add_bias_activate_f32: limits, NaN and subnormals", has_the_right_limits);
  add_kernel_test("add_bias_activate_f32: rows of any length", works_on_rows_of_any_length);
  add_kernel_test("add_bias_activate_f32: agrees with the scalar twin", agrees_with_the_scalar_twin);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
