#include "cpu/relative_positions.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/cpu_features.h"
#include "cpu/requests.h"
#include "harness.h"
#include "kernels/random.h"

namespace bert_native::test {

namespace {

void finds_rows() {
  const DistanceRows rows({7, 5, 9, 4, 8});  // of -2 … 2
  BN_CHECK(rows.of(3, 5) == 7 && rows.of(4, 4) == 9 && rows.of(6, 4) == 8, "inside the ends");
  BN_CHECK(rows.of(0, 100) == 7 && rows.of(100, 0) == 8, "past the ends");
  const auto between = [&](size_t l_first, size_t l_last, size_t r_first, size_t r_last, size_t first, size_t last) {
    const DistanceRows::Range range = rows.between(l_first, l_last, r_first, r_last);
    BN_CHECK(range.first == first && range.last == last,
             std::to_string(range.first) + " to " + std::to_string(range.last));
  };
  between(4, 5, 4, 4, 4, 9);
  between(4, 4, 4, 5, 5, 9);
  between(0, 0, 50, 60, 7, 7);
  between(50, 60, 0, 1, 8, 8);
  between(0, 60, 0, 60, 4, 9);
}

// Rows that fall while the key ascends, one by one near distance 0 and by the end of a run of `falling` rows.
std::vector<uint32_t> rows_with_a_run(size_t falling) {
  std::vector<uint32_t> row_of(100, 0);
  for (size_t i = 0; i < falling; ++i) row_of[40 + i] = static_cast<uint32_t>(7 + i);
  for (size_t i = 40 + falling; i < row_of.size(); ++i) row_of[i] = static_cast<uint32_t>(6 + falling);
  row_of.push_back(3);
  return row_of;
}

void finds_runs() {
  for (const size_t falling : {size_t{1}, size_t{15}, size_t{16}, size_t{30}}) {
    const std::vector<uint32_t> row_of = rows_with_a_run(falling);
    const DistanceRows rows(row_of);
    for (const size_t l : {size_t{0}, size_t{20}, size_t{70}, size_t{200}}) {
      for (const size_t r : {size_t{0}, size_t{1}, size_t{33}, size_t{100}}) {
        std::vector<uint32_t> found;
        size_t longest = 0;
        rows.for_each_run(l, r, 120, [&](size_t i, size_t n, const uint32_t* run, bool falls) {
          BN_CHECK(i == found.size() && n > 0, "runs do not follow each other");
          found.insert(found.end(), run, run + n);
          for (size_t j = 1; falls && j < n; ++j) BN_CHECK(run[j] + 1 == run[j - 1], "a run does not fall");
          if (falls) longest = std::max(longest, n);
        });
        BN_CHECK(found.size() == 120, "keys are missing");
        for (size_t i = 0; i < 120; ++i) BN_CHECK(found[i] == rows.of(l, r + i), "row of l - r");
        if (l == 70 && r == 0) BN_CHECK(longest == (falling < 16 ? 0 : falling), "the falling rows are one run");
      }
    }
  }
  const DistanceRows rows(rows_with_a_run(30));  // distances -10 to 19
  BN_CHECK(rows.fall_between(10, 19, 0, 20) && rows.fall_between(19, 19, 0, 29), "one run");
  BN_CHECK(!rows.fall_between(10, 20, 0, 20) && !rows.fall_between(10, 19, 0, 21), "beyond the run");
  BN_CHECK(!rows.fall_between(0, 100, 0, 0) && !rows.fall_between(0, 0, 0, 100), "past the ends");
}

void has_a_row_for_each_distance() {
  EncoderSpecification specification = make_specification({8, 2, 4, 8, 1}, Activation::kRelu);
  BN_CHECK(DistanceRows::one_for_each(specification).size_in_bytes() == 0, "rows where no layer needs any");
  specification.layers[0].attention.position.kind = AttentionPositionKind::kRelativeKey;
  const DistanceRows rows = DistanceRows::one_for_each(specification);
  const size_t P = specification.embeddings.max_position_embeddings;
  for (size_t l = 0; l < P; l += 9) {
    for (size_t r = 0; r < P; ++r) BN_CHECK(rows.of(l, r) == l + P - 1 - r, "row of l - r");
  }
}

struct Shape {
  size_t rows, heads, head_size, hidden;
};

void projects(Isa isa, Shape shape, bool norm, bool norm_bias, bool has_bias) {
  const auto [rows, heads, D, H] = shape;
  RelativePositions positions;
  positions.vectors = true;
  positions.rows = rows;
  if (norm) positions.norm = NormSpecification{1e-5f, norm_bias};
  AttentionSpecification attention;
  attention.num_attention_heads = heads;
  attention.head_size = D;
  ParameterSources sources;
  const auto add_values = [&](const std::string& name, std::vector<size_t> sizes, double mean, double std) {
    size_t count = 1;
    for (const size_t size : sizes) count *= size;
    std::vector<float> values(count);
    normal_values(values.data(), count, sources.size() + 1, 0, std);
    for (float& value : values) value += static_cast<float>(mean);
    sources[name] = {std::move(sizes), values};
    return values;
  };
  const auto table = add_values("relative_positions.weight", {rows, H}, 0, 1);
  const auto gamma = add_values("relative_positions.norm.weight", {H}, 1, 0.2);
  const auto beta = add_values("relative_positions.norm.bias", {H}, 0, 0.2);
  const auto weight = add_values("x.key.weight", {heads * D, H}, 0, 1 / std::sqrt(static_cast<double>(H)));
  const auto bias = add_values("x.key.bias", {heads * D}, 0, 1);

  const KernelTable& kernels = *kernel_table(isa);
  RelativeProjection projection(positions, attention, H, "x.key", has_bias, kernels);
  AlignedBuffer<std::byte> memory(projection.size_in_bytes());
  projection.place(memory.data());
  const ParameterReader reader(sources, kernels);
  LoadScratch scratch;
  for (size_t chunk = 0; chunk < projection.chunk_count(); ++chunk) projection.load_chunk(chunk, reader, scratch);

  const DistanceVectors vectors = projection.vectors();
  for (size_t row = 0; row < rows; ++row) {
    std::vector<double> x(table.begin() + static_cast<ptrdiff_t>(row * H),
                          table.begin() + static_cast<ptrdiff_t>((row + 1) * H));
    double mean = 0, variance = 0;
    for (const double value : x) mean += value / static_cast<double>(H);
    for (const double value : x) variance += (value - mean) * (value - mean) / static_cast<double>(H);
    for (size_t i = 0; norm && i < H; ++i) {
      x[i] = gamma[i] * (x[i] - mean) / std::sqrt(variance + static_cast<double>(1e-5f)) + (norm_bias ? beta[i] : 0);
    }
    for (size_t j = 0; j < heads * D; ++j) {
      double expected = has_bias ? bias[j] : 0;
      for (size_t i = 0; i < H; ++i) expected += x[i] * weight[j * H + i];
      const float* panel =
          vectors.panels + j / D * vectors.head_elements + row / kernels.gemm_cols * kernels.gemm_cols * D;
      const float actual = panel[j % D * kernels.gemm_cols + row % kernels.gemm_cols];
      BN_CHECK(std::fabs(actual - expected) <= 2e-6 + 2e-6 * std::fabs(expected),
               "row " + std::to_string(row) + ", column " + std::to_string(j) + " is " + std::to_string(actual) +
                   ", expected " + std::to_string(expected));
    }
  }
}

void add_tests() {
  add("cpu/relative positions: finds rows of distances", finds_rows);
  add("cpu/relative positions: finds runs of rows", finds_runs);
  add("cpu/relative positions: a row for each distance", has_a_row_for_each_distance);
  for (const Isa isa : available_isas()) {
    const std::string suffix = std::string(", ") + isa_name(isa);
    add("cpu/relative positions: projects vectors" + suffix, [isa] {
      for (const Shape& shape :
           {Shape{1, 1, 1, 3}, Shape{33, 3, 5, 20}, Shape{100, 2, 40, 200}, Shape{600, 1, 16, 1100}}) {
        projects(isa, shape, true, true, true);
        projects(isa, shape, true, false, false);
        projects(isa, shape, false, false, true);
      }
    });
  }
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
