#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/emulated_tiles.h"
#include "kernels/int8.h"
#include "kernels/scalar/kernels.h"
#include "kernels/support.h"

namespace bert_native::test {

namespace {

const char* type_name(MatrixType type) {
  switch (type) {
    case MatrixType::kF32:
      return "f32";
    case MatrixType::kF16:
      return "f16";
    case MatrixType::kBf16:
      return "bf16";
    case MatrixType::kInt8:
      return "int8";
    case MatrixType::kBf16x2:
      return "bf16x2";
    case MatrixType::kBf16x3:
      return "bf16x3";
  }
  return "";
}

constexpr MatrixType kTypes[] = {MatrixType::kF32,  MatrixType::kF16,    MatrixType::kBf16,
                                 MatrixType::kInt8, MatrixType::kBf16x2, MatrixType::kBf16x3};

// Largest relative error of one product's two factors and of its sum, beyond which a result of this type is wrong.
double roundoff(MatrixType type) {
  switch (type) {
    case MatrixType::kF32:
    case MatrixType::kBf16x3:
      return 0x1p-23;
    case MatrixType::kBf16x2:
      return 0x1p-15;
    case MatrixType::kF16:
      return 0x1p-11;
    case MatrixType::kBf16:
      return 0x1p-7;
    case MatrixType::kInt8:
      return 0;  // bounded by the scales instead
  }
  return 0;
}

std::string text(MatrixType type, size_t rows, size_t depth) {
  return std::string(type_name(type)) + ", rows " + std::to_string(rows) + ", depth " + std::to_string(depth);
}

// A strip and a panel, packed between margins that must stay untouched.
struct Packed {
  const GemmKernels& gemm;
  size_t rows, cols, depth;
  std::vector<float> a, w;
  std::vector<std::byte> strip, panel;

  static constexpr size_t kMargin = 64;
  static constexpr std::byte kSentinel{0xa5};

  Packed(const GemmKernels& kernels, size_t row_count, size_t col_count, size_t k, Random& random)
      : gemm(kernels),
        rows(row_count),
        cols(col_count),
        depth(k),
        a(random.uniforms(row_count * k, -2, 2)),
        w(random.uniforms(col_count * k, -0.1f, 0.1f)) {
    pack();
  }

  void pack() {
    strip.assign(gemm.strip_bytes(depth) + 2 * kMargin, kSentinel);
    panel.assign(gemm.panel_bytes(depth) + 2 * kMargin, kSentinel);
    gemm.pack_strip(strip.data() + kMargin, a.data(), depth, rows, depth);
    gemm.pack_panel(panel.data() + kMargin, w.data(), depth, cols, depth);
    for (const auto& packed : {strip, panel}) {
      for (size_t i = 0; i < kMargin; ++i) {
        BN_CHECK(packed[i] == kSentinel && packed[packed.size() - 1 - i] == kSentinel,
                 "packing wrote outside, depth " + std::to_string(depth));
      }
    }
  }

  // [rows, gemm.cols] added to c.
  std::vector<float> run(std::vector<float> c, bool accumulate) const {
    Guarded out(c);
    tile(out.data(), gemm.cols, accumulate);
    out.check_margins();
    return out.values();
  }
  void tile(float* c, size_t ldc, bool accumulate) const {
    const TileScope scope(gemm);
    gemm.tile(c, ldc, strip.data() + kMargin, panel.data() + kMargin, rows, depth, accumulate, {});
  }
  std::vector<float> run() const { return run(std::vector<float>(rows * gemm.cols, 7.0f), false); }
};

// |c - Σ a w| must not exceed what rounding the factors can do.
double error_bound(const Packed& p, MatrixType type, size_t r, size_t j, int weight_limit) {
  double magnitudes = 0, largest_a = 0, largest_w = 0, sum_a = 0, sum_w = 0;
  for (size_t k = 0; k < p.depth; ++k) {
    const double x = std::abs(p.a[r * p.depth + k]), y = std::abs(p.w[j * p.depth + k]);
    magnitudes += x * y;
    largest_a = std::max(largest_a, x);
    largest_w = std::max(largest_w, y);
    sum_a += x;
    sum_w += y;
  }
  if (type != MatrixType::kInt8) return magnitudes * (2 * roundoff(type) + 0x1p-20);
  const double half_a = 2 * largest_a / 255, half_w = largest_w / weight_limit / 2;
  return half_a * sum_w + half_w * sum_a + static_cast<double>(p.depth) * half_a * half_w + magnitudes * 0x1p-20;
}

std::vector<size_t> depths() {
  return {1, 2, 3, 4, 5, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 130, 255, 257, 384, 768};
}

void multiplies_within_rounding(const KernelTable& kernels) {
  for (const MatrixType type : kTypes) {
    if (kernels.resolve(type) != type) continue;
    const GemmKernels& gemm = kernels.gemm_of(type);
    Random random(3);
    for (const size_t depth : depths()) {
      for (const size_t rows : {size_t{1}, gemm.rows / 2, gemm.rows}) {
        const size_t cols = depth % 3 == 0 ? gemm.cols - 1 : gemm.cols;
        const Packed p(gemm, rows, cols, depth, random);
        const std::vector<float> c = p.run();
        for (size_t r = 0; r < rows; ++r) {
          for (size_t j = 0; j < gemm.cols; ++j) {
            double exact = 0;
            for (size_t k = 0; j < cols && k < depth; ++k) {
              exact += static_cast<double>(p.a[r * depth + k]) * static_cast<double>(p.w[j * depth + k]);
            }
            const double bound = j < cols ? error_bound(p, type, r, j, 64) : 0;
            BN_CHECK(std::abs(c[r * gemm.cols + j] - exact) <= bound,
                     text(type, rows, depth) + ": c[" + std::to_string(r) + "][" + std::to_string(j) + "] is " +
                         number(c[r * gemm.cols + j]) + ", should be " + number(exact) + " within " + number(bound));
          }
        }
      }
    }
  }
}

// A row's result does not depend on the rows beside it.
void rows_do_not_meet(const KernelTable& kernels) {
  for (const MatrixType type : kTypes) {
    if (kernels.resolve(type) != type) continue;
    const GemmKernels& gemm = kernels.gemm_of(type);
    Random random(4);
    for (const size_t depth : {size_t{5}, size_t{64}, size_t{200}, size_t{768}}) {
      const Packed whole(gemm, gemm.rows, gemm.cols, depth, random);
      const std::vector<float> expected = whole.run();
      for (size_t row = 0; row < gemm.rows; ++row) {
        Packed alone = whole;
        alone.rows = 1;
        alone.a.assign(whole.a.begin() + static_cast<std::ptrdiff_t>(row * depth),
                       whole.a.begin() + static_cast<std::ptrdiff_t>((row + 1) * depth));
        alone.pack();
        const std::vector<float> part(expected.begin() + static_cast<std::ptrdiff_t>(row * gemm.cols),
                                      expected.begin() + static_cast<std::ptrdiff_t>((row + 1) * gemm.cols));
        BN_CHECK(same_bits(alone.run(), part),
                 text(type, 1, depth) + ": row " + std::to_string(row) + " differs from the same row in a whole tile");
      }
    }
  }
}

// Every number of rows, to rows of a matrix that is wider than the tile.
void writes_its_rows_only(const KernelTable& kernels) {
  for (const MatrixType type : kTypes) {
    if (kernels.resolve(type) != type) continue;
    const GemmKernels& gemm = kernels.gemm_of(type);
    Random random(11);
    Packed p(gemm, gemm.rows, gemm.cols, 100, random);
    const std::vector<float> whole = p.run();
    const size_t ldc = gemm.cols + 5;
    for (size_t rows = 1; rows <= gemm.rows; ++rows) {
      p.rows = rows;
      p.pack();
      std::vector<float> expected(gemm.rows * ldc, 7.0f);
      for (size_t r = 0; r < rows; ++r) {
        std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(r * gemm.cols), gemm.cols,
                    expected.begin() + static_cast<std::ptrdiff_t>(r * ldc));
      }
      std::vector<float> c(gemm.rows * ldc, 7.0f);
      p.tile(c.data(), ldc, false);
      BN_CHECK(same_bits(c, expected), text(type, rows, 100) + ": other elements than those of the tile were written");
    }
  }
}

void accumulates(const KernelTable& kernels) {
  for (const MatrixType type : kTypes) {
    if (kernels.resolve(type) != type) continue;
    const GemmKernels& gemm = kernels.gemm_of(type);
    Random random(5);
    const Packed p(gemm, gemm.rows, gemm.cols, 100, random);
    const std::vector<float> before = random.uniforms(gemm.rows * gemm.cols, -3, 3);
    const std::vector<float> product = p.run(), sum = p.run(before, true);
    for (size_t i = 0; i < sum.size(); ++i) {
      BN_CHECK(sum[i] == before[i] + product[i], text(type, gemm.rows, 100) + ": accumulating is not one addition");
    }
  }
}

// Whether neighbouring weights are not bounded.
bool keeps_eight_bits(const GemmKernels& gemm) {
  Random random(10);
  Packed p(gemm, 1, 1, 2, random);
  p.w = {127, 40};
  p.pack();
  float kept[2];
  gemm.unpack_column(kept, p.panel.data() + Packed::kMargin, 0, 2);
  return kept[1] == 40;
}

// Integers are exact, and everything else follows the twin's order.
void int8_equals_its_twin(const KernelTable& kernels) {
  const GemmKernels& gemm = kernels.gemm_of(MatrixType::kInt8);
  GemmKernels twin = scalar_kernels().gemm_of(MatrixType::kInt8);
  if (!keeps_eight_bits(gemm)) twin.pack_panel = Int8Layout<scalar::kGemmRows, scalar::kGemmCols>::pack_panel<true>;
  Random random(6);
  size_t compared = 0;
  for (const size_t depth : depths()) {
    const Packed p(gemm, gemm.rows, gemm.cols, depth, random);
    const std::vector<float> c = p.run();
    for (size_t row = 0; row < gemm.rows; row += twin.rows) {
      for (size_t col = 0; col < gemm.cols; col += twin.cols) {
        Packed other(twin, twin.rows, twin.cols, depth, random);
        const size_t rows = std::min(twin.rows, gemm.rows - row);
        other.rows = rows;
        other.a.assign(p.a.begin() + static_cast<std::ptrdiff_t>(row * depth),
                       p.a.begin() + static_cast<std::ptrdiff_t>((row + rows) * depth));
        other.w.assign(p.w.begin() + static_cast<std::ptrdiff_t>(col * depth),
                       p.w.begin() + static_cast<std::ptrdiff_t>((col + twin.cols) * depth));
        other.pack();
        const std::vector<float> expected = other.run();
        for (size_t r = 0; r < rows; ++r) {
          for (size_t j = 0; j < twin.cols; ++j, ++compared) {
            BN_CHECK(f32_bits(c[(row + r) * gemm.cols + col + j]) == f32_bits(expected[r * twin.cols + j]),
                     "depth " + std::to_string(depth) + ", row " + std::to_string(row + r) + ", column " +
                         std::to_string(col + j));
          }
        }
      }
    }
  }
  BN_CHECK(compared > 0, "nothing was compared");
}

// The extreme integers in every position: no saturation on the way.
void int8_holds_its_extremes(const KernelTable& kernels) {
  const GemmKernels& gemm = kernels.gemm_of(MatrixType::kInt8);
  Random random(7);
  for (const float sign : {1.0f, -1.0f}) {
    for (const bool alternating : {false, true}) {
      Packed p(gemm, gemm.rows, gemm.cols, 512, random);
      for (size_t i = 0; i < p.a.size(); ++i) p.a[i] = alternating && i % 2 == 1 ? 0.0f : sign;
      for (size_t i = 0; i < p.w.size(); ++i) p.w[i] = alternating && i % 2 == 1 ? -1.0f : 1.0f;
      p.pack();
      std::vector<float> kept(p.depth);
      gemm.unpack_column(kept.data(), p.panel.data() + Packed::kMargin, 0, p.depth);
      double expected = 0;
      for (size_t k = 0; k < p.depth; ++k) expected += static_cast<double>(p.a[k]) * static_cast<double>(kept[k]);
      for (const float c : p.run()) {
        BN_CHECK(std::abs(c - expected) < 1e-3, "products that are " + number(expected) + " give " + number(c));
      }
    }
  }
}

void special_values_show(const KernelTable& kernels) {
  for (const MatrixType type : kTypes) {
    if (kernels.resolve(type) != type) continue;
    const GemmKernels& gemm = kernels.gemm_of(type);
    Random random(8);
    Packed p(gemm, 2, gemm.cols, 70, random);
    p.a[3] = std::nanf("");
    p.pack();
    const std::vector<float> with_nan = p.run();
    BN_CHECK(std::isnan(with_nan[0]), text(type, 2, 70) + ": NaN in row 0 is lost");
    BN_CHECK(!std::isnan(with_nan[gemm.cols]), text(type, 2, 70) + ": NaN in row 0 reached row 1");
    p.a.assign(p.a.size(), 0.0f);
    p.pack();
    for (const float c : p.run()) BN_CHECK(c == 0.0f, text(type, 2, 70) + ": zeros give " + number(c));
  }
}

// What each type keeps of a weight.
void unpacks_what_it_keeps(const KernelTable& kernels) {
  for (const MatrixType type : kTypes) {
    if (kernels.resolve(type) != type) continue;
    const GemmKernels& gemm = kernels.gemm_of(type);
    Random random(9);
    const size_t depth = 131;
    const Packed p(gemm, 1, gemm.cols, depth, random);
    std::vector<float> kept(depth);
    for (size_t col = 0; col < gemm.cols; ++col) {
      gemm.unpack_column(kept.data(), p.panel.data() + Packed::kMargin, col, depth);
      for (size_t k = 0; k < depth; ++k) {
        const double w = p.w[col * depth + k];
        const double bound = type == MatrixType::kInt8 ? 0.2 / 127 / 2 * 1.001
                             : type == MatrixType::kF32 || type == MatrixType::kBf16x3
                                 ? 0
                                 : std::abs(w) * roundoff(type) + 1e-8;
        BN_CHECK(std::abs(kept[k] - w) <= bound,
                 text(type, 1, depth) + ": weight " + number(w) + " is kept as " + number(kept[k]));
      }
    }
  }
}

// Weights of eight bits are rounded by the scale of their own column, whatever stands beside them: that of the largest,
// or of the largest sum of two neighbours.
void int8_rounds_each_weight(const KernelTable& kernels) {
  const GemmKernels& gemm = kernels.gemm_of(MatrixType::kInt8);
  const size_t together = keeps_eight_bits(gemm) ? 1 : 2;
  Random random(11);
  for (const size_t depth : {1, 3, 4, 5, 15, 64, 255, 256, 257, 300, 768}) {
    for (const size_t cols : {size_t{1}, gemm.cols - 1, gemm.cols}) {
      Packed p(gemm, 1, cols, depth, random);
      for (size_t col = 0; col < cols; ++col) p.w[col * depth] *= static_cast<float>(col * col);  // scales that differ
      p.pack();
      std::vector<float> kept(depth);
      for (size_t col = 0; col < cols; ++col) {
        const float* w = p.w.data() + col * depth;
        float largest = 0;
        for (size_t k = 0; k < depth; k += together) {
          const float neighbour = together == 2 && k + 1 < depth ? std::abs(w[k + 1]) : 0;
          largest = std::max(largest, std::abs(w[k]) + neighbour);
        }
        const float scale = largest / 127, inverse = largest > 0 ? 127 / largest : 0;
        gemm.unpack_column(kept.data(), p.panel.data() + Packed::kMargin, col, depth);
        for (size_t k = 0; k < depth; ++k) {
          const float expected = std::nearbyint(w[k] * inverse) * scale;
          BN_CHECK(kept[k] == expected, "depth " + std::to_string(depth) + ", column " + std::to_string(col) +
                                            ": weight " + number(w[k]) + " is kept as " + number(kept[k]) +
                                            ", should be " + number(expected));
        }
      }
    }
  }
}

// ‖c - exact‖ / ‖exact‖ over a whole tile, and the same of a plain sum in f32.
struct RelativeErrors {
  double product = 0, plain = 0;
};

RelativeErrors relative_errors(const Packed& p) {
  const std::vector<float> c = p.run();
  RelativeErrors errors;
  double magnitude = 0;
  for (size_t r = 0; r < p.rows; ++r) {
    for (size_t j = 0; j < p.cols; ++j) {
      double exact = 0;
      float plain = 0;
      for (size_t k = 0; k < p.depth; ++k) {
        const float a = p.a[r * p.depth + k], w = p.w[j * p.depth + k];
        exact += static_cast<double>(a) * static_cast<double>(w);
        plain += a * w;
      }
      errors.product += std::pow(c[r * p.cols + j] - exact, 2);
      errors.plain += std::pow(plain - exact, 2);
      magnitude += exact * exact;
    }
  }
  return {std::sqrt(errors.product / magnitude), std::sqrt(errors.plain / magnitude)};
}

// The depths of BERT-base. Three parts may not lose more than 1.5 times what sums in f32 do.
void parts_are_accurate(const KernelTable& kernels) {
  for (const MatrixType type : {MatrixType::kBf16x2, MatrixType::kBf16x3}) {
    const GemmKernels& gemm = kernels.gemm_of(type);
    Random random(12);
    for (const size_t depth : {size_t{768}, size_t{3072}}) {
      const RelativeErrors errors = relative_errors(Packed(gemm, gemm.rows, gemm.cols, depth, random));
      note(text(type, gemm.rows, depth) + ": relative error " + number(errors.product) + ", of a plain sum in f32 " +
           number(errors.plain));
      const double bound = type == MatrixType::kBf16x3 ? std::min(2e-6, 1.5 * errors.plain) : 2e-5;
      BN_CHECK(errors.product <= bound, text(type, gemm.rows, depth) + ": more than " + number(bound));
    }
  }
}

// Patterns of bits of every kind of f32.
std::vector<float> kinds_of_f32(size_t n) {
  Random random(13);
  std::vector<float> values{0.0f,
                            -0.0f,
                            1.0f,
                            std::numeric_limits<float>::max(),
                            -std::numeric_limits<float>::max(),
                            std::numeric_limits<float>::min(),
                            std::numeric_limits<float>::denorm_min(),
                            std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity(),
                            f32_from_bits(0x7fc12345u),
                            f32_from_bits(0xffffffffu),
                            f32_from_bits(0x7f800001u)};
  for (uint32_t exponent = 0; exponent < 255; ++exponent) {
    for (const uint32_t significand : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0x7f7fffu, 0x7f8000u, 0x7fffffu}) {
      values.push_back(f32_from_bits(exponent << 23 | significand));
    }
  }
  while (values.size() < n) values.push_back(f32_from_bits(static_cast<uint32_t>(random.bits() >> 32)));
  return values;
}

// A signalling NaN becomes a quiet one; all else comes back bit by bit.
void three_parts_keep_every_bit(const KernelTable& kernels) {
  const GemmKernels& gemm = kernels.gemm_of(MatrixType::kBf16x3);
  Random random(14);
  Packed p(gemm, 1, gemm.cols, 2000, random);
  p.w = kinds_of_f32(p.w.size());
  p.pack();
  std::vector<float> kept(p.depth);
  for (size_t col = 0; col < gemm.cols; ++col) {
    gemm.unpack_column(kept.data(), p.panel.data() + Packed::kMargin, col, p.depth);
    for (size_t k = 0; k < p.depth; ++k) {
      const uint32_t bits = f32_bits(p.w[col * p.depth + k]);
      const uint32_t expected = std::isnan(p.w[col * p.depth + k]) ? bits | 0x400000u : bits;
      BN_CHECK(f32_bits(kept[k]) == expected,
               "the bits " + std::to_string(bits) + " are kept as " + std::to_string(f32_bits(kept[k])));
    }
  }
}

// A product of every kind of f32 with 1, on both sides. Below 2⁻¹⁰² eight bits of it count; what two parts round to
// more than f32 holds is infinite.
void parts_multiply_every_kind(const KernelTable& kernels) {
  for (const MatrixType type : {MatrixType::kBf16x2, MatrixType::kBf16x3}) {
    const GemmKernels& gemm = kernels.gemm_of(type);
    Random random(15);
    const auto check = [&](float x, float product) {
      if (!std::isfinite(x)) {
        BN_CHECK(!std::isfinite(product) && (!std::isnan(x) || std::isnan(product)),
                 number(x) + " times 1 is " + number(product));
        return;
      }
      if (type == MatrixType::kBf16x2 && std::isinf(product) && std::abs(x) > f32_from_bits(0x7f7fc000u)) return;
      const double bound = std::max(std::abs(static_cast<double>(x)) * roundoff(type), 0x1p-109);
      BN_CHECK(std::abs(static_cast<double>(product) - x) <= bound, number(x) + " times 1 is " + number(product));
    };
    for (const float x : kinds_of_f32(3000)) {
      Packed p(gemm, 1, 1, 1, random);
      p.a = {x};
      p.w = {1};
      p.pack();
      check(x, p.run()[0]);
      p.a = {1};
      p.w = {x};
      p.pack();
      check(x, p.run()[0]);
    }
  }
}

// The emulation says what the processor does: integers to the bit, sums of bf16 within their rounding.
void unit_and_emulation_agree(const KernelTable& kernels) {
  const KernelTable& emulated = emulated_amx_kernels();
  for (const MatrixType type : {MatrixType::kBf16, MatrixType::kInt8, MatrixType::kBf16x2, MatrixType::kBf16x3}) {
    const GemmKernels& gemm = kernels.gemm_of(type);
    size_t different = 0, compared = 0;
    for (const size_t depth : depths()) {
      Random random(16), same(16);
      const Packed p(gemm, gemm.rows, gemm.cols, depth, random);
      const Packed q(emulated.gemm_of(type), gemm.rows, gemm.cols, depth, same);
      BN_CHECK(p.strip == q.strip && p.panel == q.panel, text(type, gemm.rows, depth) + ": packed in another way");
      const std::vector<float> c = p.run(), d = q.run();
      for (size_t i = 0; i < c.size(); ++i, ++compared) {
        const double bound =
            type == MatrixType::kInt8 ? 0 : error_bound(p, MatrixType::kF32, i / gemm.cols, i % gemm.cols, 0);
        BN_CHECK(std::abs(c[i] - d[i]) <= bound, text(type, gemm.rows, depth) + ": " + number(c[i]) +
                                                     " on the processor, " + number(d[i]) + " emulated");
        different += f32_bits(c[i]) != f32_bits(d[i]);
      }
    }
    note(std::string(type_name(type)) + ": " + std::to_string(different) + " of " + std::to_string(compared) +
         " results differ in their bits");
  }
}

void add_gemm_test(const std::string& statement, KernelTest body) {
  add_kernel_test("gemm types: " + statement, body);
  add("kernels/amx (emulated)/gemm types: " + statement, [=] { body(emulated_amx_kernels()); });
}

void add_tests_of_parts(const KernelTable& kernels, const std::string& name) {
  const auto add_test = [&](const std::string& statement, KernelTest body) {
    add("kernels/" + name + "/gemm types: " + statement, [&kernels, body] { body(kernels); });
  };
  add_test("parts of f32 are accurate", parts_are_accurate);
  add_test("three parts keep every bit", three_parts_keep_every_bit);
  add_test("parts of every kind of f32", parts_multiply_every_kind);
}

void add_tests() {
  add_gemm_test("products within the rounding of their factors", multiplies_within_rounding);
  add_gemm_test("a row's bits do not depend on the other rows", rows_do_not_meet);
  add_gemm_test("writes its rows only", writes_its_rows_only);
  add_gemm_test("accumulating is one addition", accumulates);
  add_gemm_test("int8 equals its twin", int8_equals_its_twin);
  add_gemm_test("int8 rounds each weight", int8_rounds_each_weight);
  add_gemm_test("int8 does not saturate", int8_holds_its_extremes);
  add_gemm_test("NaN and zeros", special_values_show);
  add_gemm_test("what is kept of a weight", unpacks_what_it_keeps);
  add_tests_of_parts(emulated_amx_kernels(), "amx (emulated)");
  for (const Isa isa : available_isas()) {
    const KernelTable& kernels = *kernel_table(isa);
    if (kernels.resolve(MatrixType::kBf16x3) == MatrixType::kBf16x3) add_tests_of_parts(kernels, isa_name(isa));
    if (isa != Isa::kAmx) continue;
    add("kernels/amx/gemm types: the unit and its emulation agree",
        [] { unit_and_emulation_agree(*kernel_table(Isa::kAmx)); });
  }
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
