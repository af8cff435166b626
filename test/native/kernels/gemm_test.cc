#include <cmath>

#include "kernels/support.h"

namespace bert_native::test {

namespace {

std::vector<size_t> depths() {
  std::vector<size_t> all;
  for (size_t k = 1; k <= 70; ++k) all.push_back(k);
  for (size_t k : {128, 257, 768}) all.push_back(k);
  return all;
}

std::string shape(size_t rows, size_t k) { return "rows " + std::to_string(rows) + ", K " + std::to_string(k); }

// What packing must give: packed[i][width] from element(line, i), zero from line `count` on.
void check_packed(const Guarded& packed, const std::vector<float>& lines, size_t stride, size_t count, size_t width,
                  size_t k, bool transposed) {
  packed.check_margins();
  for (size_t i = 0; i < k; ++i) {
    for (size_t j = 0; j < width; ++j) {
      const float expected = j >= count ? 0.0f : transposed ? lines[i * stride + j] : lines[j * stride + i];
      BN_CHECK(packed[i * width + j] == expected, "packed[" + std::to_string(i) + "][" + std::to_string(j) +
                                                      "] is wrong for " + std::to_string(count) + " of " +
                                                      std::to_string(width) + " lines, K " + std::to_string(k));
    }
  }
}

using Pack = void (*)(float* packed, const float* lines, size_t stride, size_t count, size_t k);

void check_pack(Pack pack, size_t width, bool transposed) {
  Random random(1);
  for (size_t count = 1; count <= width; ++count) {
    for (size_t k : {1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 33, 64, 70}) {
      const size_t lines = transposed ? k : count, length = transposed ? count : k;
      const size_t stride = length + count % 3 * 5;
      // Ends with its last element, so that a sanitizer sees reads past it.
      const std::vector<float> source = random.uniforms((lines - 1) * stride + length, -1, 1);
      Guarded packed(std::vector<float>(k * width, 7.0f), k % 4);
      pack(packed.data(), source.data(), stride, count, k);
      check_packed(packed, source, stride, count, width, k, transposed);
    }
  }
}

void packs_strips(const KernelTable& kernels) { check_pack(kernels.gemm_pack_strip_f32, kernels.gemm_rows, false); }

void packs_panels(const KernelTable& kernels) { check_pack(kernels.gemm_pack_panel_f32, kernels.gemm_cols, false); }

void packs_transposed_panels(const KernelTable& kernels) {
  check_pack(kernels.gemm_pack_panel_transposed_f32, kernels.gemm_cols, true);
}

// One tile's operands, unpacked and packed, and the C that it is added to.
struct Product {
  const KernelTable& kernels;
  size_t rows, cols, k;
  std::vector<float> a, w, c;
  std::vector<float> strip, panel;

  Product(const KernelTable& table, size_t row_count, size_t depth, std::vector<float> a_values,
          std::vector<float> w_values, std::vector<float> c_values)
      : kernels(table),
        rows(row_count),
        cols(table.gemm_cols),
        k(depth),
        a(std::move(a_values)),
        w(std::move(w_values)),
        c(std::move(c_values)),
        strip(k * table.gemm_rows),
        panel(k * cols) {
    kernels.gemm_pack_strip_f32(strip.data(), a.data(), k, rows, k);
    kernels.gemm_pack_panel_f32(panel.data(), w.data(), k, cols, k);
  }

  static Product of_integers(const KernelTable& table, size_t rows, size_t k, Random& random) {
    const size_t cols = table.gemm_cols;
    return Product(table, rows, k, random.small_integers(rows * k), random.small_integers(cols * k),
                   random.small_integers(rows * cols));
  }

  static Product of_reals(const KernelTable& table, size_t rows, size_t k, Random& random) {
    const size_t cols = table.gemm_cols;
    return Product(table, rows, k, random.uniforms(rows * k, -1, 1), random.uniforms(cols * k, -1, 1),
                   random.uniforms(rows * cols, -1, 1));
  }

  // C after the tile function, dense [rows, cols]; the memory between rows of stride ldc is checked to be untouched.
  std::vector<float> tile(bool accumulate, size_t gap) const {
    constexpr float kGap = 99.0f;
    const size_t ldc = cols + gap;
    std::vector<float> memory((rows - 1) * ldc + cols, kGap);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t j = 0; j < cols; ++j) memory[r * ldc + j] = accumulate ? c[r * cols + j] : NAN;
    }
    Guarded out(memory, gap % 16);
    kernels.gemm_tile_f32(out.data(), ldc, strip.data(), panel.data(), rows, k, accumulate);
    out.check_margins();
    std::vector<float> dense(rows * cols);
    for (size_t i = 0; i < out.size(); ++i) {
      const size_t r = i / ldc, j = i % ldc;
      if (j < cols) {
        dense[r * cols + j] = out[i];
      } else {
        BN_CHECK(out[i] == kGap, "wrote between the rows of C");
      }
    }
    return dense;
  }

  double exact(size_t r, size_t j, bool accumulate) const {
    double sum = accumulate ? c[r * cols + j] : 0;
    for (size_t i = 0; i < k; ++i) sum += static_cast<double>(a[r * k + i]) * w[j * k + i];
    return sum;
  }

  // Of the absolute values: what rounding errors are proportional to.
  double magnitude(size_t r, size_t j, bool accumulate) const {
    double sum = accumulate ? std::fabs(c[r * cols + j]) : 0;
    for (size_t i = 0; i < k; ++i) sum += std::fabs(static_cast<double>(a[r * k + i]) * w[j * k + i]);
    return sum;
  }
};

void multiplies_integers_exactly(const KernelTable& kernels) {
  Random random(2);
  for (size_t rows = 1; rows <= kernels.gemm_rows; ++rows) {
    for (size_t k : depths()) {
      const Product product = Product::of_integers(kernels, rows, k, random);
      for (const bool accumulate : {false, true}) {
        const std::vector<float> c = product.tile(accumulate, k % 5);
        for (size_t i = 0; i < c.size(); ++i) {
          BN_CHECK(c[i] == product.exact(i / product.cols, i % product.cols, accumulate),
                   "element " + std::to_string(i) + " is wrong for " + shape(rows, k));
        }
      }
    }
  }
}

// The bound is that of any order of K roundings after K products: (2K + 1) u Σ|a||w|.
void multiplies_reals_within_the_rounding_bound(const KernelTable& kernels) {
  Random random(3);
  double worst = 0;
  for (size_t rows = 1; rows <= kernels.gemm_rows; ++rows) {
    for (size_t k : {1, 2, 17, 64, 768}) {
      const Product product = Product::of_reals(kernels, rows, k, random);
      for (const bool accumulate : {false, true}) {
        const std::vector<float> c = product.tile(accumulate, 3);
        for (size_t i = 0; i < c.size(); ++i) {
          const size_t r = i / product.cols, j = i % product.cols;
          const double error = std::fabs(c[i] - product.exact(r, j, accumulate));
          const double magnitude = product.magnitude(r, j, accumulate);
          BN_CHECK(error <= static_cast<double>(2 * k + 1) * kUnitRoundoff * magnitude,
                   "error " + number(error) + " for " + shape(rows, k));
          worst = std::max(worst, error / magnitude);
        }
      }
    }
  }
  note("largest error " + number(worst) + " of the sum of absolute values");
}

void agrees_with_the_scalar_twin(const KernelTable& kernels) {
  Random random(4);
  const KernelTable& scalar = scalar_kernels();
  for (size_t k : {1, 5, 64, 768}) {
    const std::vector<float> a = random.uniforms(k, -1, 1);
    const std::vector<float> w = random.uniforms(kernels.gemm_cols * k, -1, 1);
    const std::vector<float> c = Product(kernels, 1, k, a, w, {}).tile(false, 0);
    for (size_t begin = 0; begin < kernels.gemm_cols; begin += scalar.gemm_cols) {
      const auto first = w.begin() + static_cast<std::ptrdiff_t>(begin * k);
      const Product twin(scalar, 1, k, a,
                         std::vector<float>(first, first + static_cast<std::ptrdiff_t>(scalar.gemm_cols * k)), {});
      const std::vector<float> expected = twin.tile(false, 0);
      for (size_t j = 0; j < scalar.gemm_cols; ++j) {
        const double bound = 2 * static_cast<double>(2 * k + 1) * kUnitRoundoff * twin.magnitude(0, j, false);
        BN_CHECK(std::fabs(static_cast<double>(c[begin + j]) - expected[j]) <= bound,
                 "column " + std::to_string(begin + j) + " differs for K " + std::to_string(k));
      }
    }
  }
}

void splitting_k_between_sums_changes_no_bit(const KernelTable& kernels) {
  Random random(5);
  const size_t k = 3 * kGemmSumLength + 70;
  for (size_t rows = 1; rows <= kernels.gemm_rows; ++rows) {
    const Product product = Product::of_reals(kernels, rows, k, random);
    for (const bool accumulate : {false, true}) {
      const std::vector<float> whole = product.tile(accumulate, 0);
      for (size_t first = kGemmSumLength; first < k; first += kGemmSumLength) {
        std::vector<float> parts = product.c;
        kernels.gemm_tile_f32(parts.data(), product.cols, product.strip.data(), product.panel.data(), rows, first,
                              accumulate);
        kernels.gemm_tile_f32(parts.data(), product.cols, product.strip.data() + first * kernels.gemm_rows,
                              product.panel.data() + first * product.cols, rows, k - first, true);
        BN_CHECK(same_bits(whole, parts), "differs when split at " + std::to_string(first) + " for " + shape(rows, k));
      }
    }
  }
}

void a_row_does_not_depend_on_the_others(const KernelTable& kernels) {
  Random random(6);
  const size_t k = 65, cols = kernels.gemm_cols;
  const Product full = Product::of_reals(kernels, kernels.gemm_rows, k, random);
  const std::vector<float> all = full.tile(false, 0);
  for (size_t rows = 1; rows <= kernels.gemm_rows; ++rows) {
    // The last `rows` rows, so that each stands at other places of a strip than in the full tile.
    const size_t skipped = kernels.gemm_rows - rows;
    const std::vector<float> a(full.a.begin() + static_cast<std::ptrdiff_t>(skipped * k), full.a.end());
    const std::vector<float> some = Product(kernels, rows, k, a, full.w, {}).tile(false, 0);
    const std::vector<float> expected(all.begin() + static_cast<std::ptrdiff_t>(skipped * cols), all.end());
    BN_CHECK(same_bits(some, expected), "rows differ when they are " + std::to_string(rows));
  }
}

void a_column_does_not_depend_on_its_place(const KernelTable& kernels) {
  Random random(7);
  const size_t k = 65, rows = kernels.gemm_rows, cols = kernels.gemm_cols;
  const Product product = Product::of_reals(kernels, rows, k, random);
  const std::vector<float> c = product.tile(false, 0);
  for (size_t shift = 1; shift < cols; ++shift) {
    std::vector<float> rotated(product.w.size());
    for (size_t i = 0; i < rotated.size(); ++i) rotated[i] = product.w[(i + shift * k) % rotated.size()];
    const std::vector<float> moved = Product(kernels, rows, k, product.a, rotated, {}).tile(false, 0);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t j = 0; j < cols; ++j) {
        BN_CHECK(f32_bits(moved[r * cols + j]) == f32_bits(c[r * cols + (j + shift) % cols]),
                 "column " + std::to_string(j) + " differs after a shift by " + std::to_string(shift));
      }
    }
  }
}

void carries_special_values(const KernelTable& kernels) {
  const size_t cols = kernels.gemm_cols;
  for (const float special : {NAN, INFINITY, -INFINITY}) {
    std::vector<float> a(3 * kernels.gemm_rows, 1.0f), w(3 * cols, 1.0f);
    a[1] = special;
    const std::vector<float> c = Product(kernels, kernels.gemm_rows, 3, a, w, {}).tile(false, 0);
    for (size_t i = 0; i < c.size(); ++i) {
      const float expected = i < cols ? special : 3.0f;
      BN_CHECK(c[i] == expected || (c[i] != c[i] && expected != expected), "element " + std::to_string(i));
    }
  }
}

void add_tests() {
  add_kernel_test("gemm_pack_strip_f32: transposes and fills up with zeros", packs_strips);
  add_kernel_test("gemm_pack_panel_f32: transposes and fills up with zeros", packs_panels);
  add_kernel_test("gemm_pack_panel_transposed_f32: copies and fills up with zeros", packs_transposed_panels);
  add_kernel_test("gemm_tile_f32: small integers multiply exactly", multiplies_integers_exactly);
  add_kernel_test("gemm_tile_f32: reals multiply within the rounding bound",
                  multiplies_reals_within_the_rounding_bound);
  add_kernel_test("gemm_tile_f32: agrees with the scalar twin", agrees_with_the_scalar_twin);
  add_kernel_test("gemm_tile_f32: splitting K between sums changes no bit", splitting_k_between_sums_changes_no_bit);
  add_kernel_test("gemm_tile_f32: a row's bits do not depend on the other rows", a_row_does_not_depend_on_the_others);
  add_kernel_test("gemm_tile_f32: a column's bits do not depend on its place", a_column_does_not_depend_on_its_place);
  add_kernel_test("gemm_tile_f32: NaN and infinities reach their row only", carries_special_values);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
