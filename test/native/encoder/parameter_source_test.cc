#include "encoder/parameter_source.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "check_throws.h"
#include "common/errors.h"
#include "common/thread_pool.h"
#include "harness.h"
#include "kernels/random.h"
#include "temporary_folder.h"

namespace bert_native::test {

namespace {

const KernelTable& scalar_kernels() { return *kernel_table(Isa::kScalar); }

void philox_matches_its_authors() {
  // Random123, kat_vectors.
  using Words = std::array<uint32_t, 4>;
  BN_CHECK((philox4x32({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}), "zeros");
  const uint32_t ones = 0xffffffff;
  BN_CHECK(
      (philox4x32({ones, ones, ones, ones}, {ones, ones}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}),
      "ones");
}

void normal_values_invert_the_distribution() {
  const uint64_t seed = 0x0123456789abcdef;
  std::vector<float> values(100000);
  normal_values(values.data(), values.size(), seed, 0, 1.0);
  double worst = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t word = philox4x32({static_cast<uint32_t>(i / 4), 0, 0, 0}, {0x89abcdef, 0x01234567})[i % 4];
    const double u = (word + 0.5) * 0x1p-32, z = values[i];
    const double density = std::exp(-z * z / 2) / std::sqrt(2 * M_PI);
    const double rounding = density * std::fabs(z) * 0x1p-24;
    const double error = std::fabs(0.5 * std::erfc(-z / std::sqrt(2.0)) - u);
    BN_CHECK(error <= rounding + 1e-15, "value " + std::to_string(i) + " is " + std::to_string(z) + ", off by " +
                                            std::to_string(error) + " in probability");
    worst = std::max(worst, std::fabs(z));
  }
  BN_CHECK(worst > 3.5, "100000 values reach no further than " + std::to_string(worst));
}

void normal_values_have_the_moments() {
  const size_t count = 1000000;
  std::vector<float> values(count);
  normal_values(values.data(), count, 42, 0, 0.02);
  double mean = 0, variance = 0, fourth = 0;
  for (const float value : values) mean += value / 0.02;
  mean /= count;
  for (const float value : values) {
    const double d = value / 0.02 - mean;
    variance += d * d;
    fourth += d * d * d * d;
  }
  variance /= count;
  const double kurtosis = fourth / count / (variance * variance);
  note("mean " + std::to_string(mean) + ", variance " + std::to_string(variance) + ", kurtosis " +
       std::to_string(kurtosis));
  // Five standard errors: 1/√n, √(2/n), √(24/n).
  BN_CHECK(std::fabs(mean) < 5e-3 && std::fabs(variance - 1) < 7.1e-3 && std::fabs(kurtosis - 3) < 2.5e-2, "moments");
}

void normal_values_do_not_depend_on_the_cut() {
  std::vector<float> whole(103);
  const uint64_t first = (uint64_t{1} << 34) - 50;  // the counter's high word changes on the way
  normal_values(whole.data(), whole.size(), 7, first, 1.0);
  for (const size_t step : {1, 2, 3, 5, 50}) {
    std::vector<float> parts(whole.size());
    for (size_t begin = 0; begin < parts.size(); begin += step) {
      normal_values(parts.data() + begin, std::min(step, parts.size() - begin), 7, first + begin, 1.0);
    }
    BN_CHECK(std::memcmp(whole.data(), parts.data(), whole.size() * sizeof(float)) == 0, std::to_string(step));
  }
}

// Fixed values, so that a change of the sequence is noticed: other engines give the same bits.
void normal_values_are_fixed() {
  const std::vector<uint32_t> expected{0xbe82fa50, 0x3f96bb4f, 0x3f2153b7, 0x3e88fdeb};
  std::vector<float> values(expected.size());
  normal_values(values.data(), values.size(), 0, 0, 1.0);
  for (size_t i = 0; i < values.size(); ++i) {
    BN_CHECK(std::bit_cast<uint32_t>(values[i]) == expected[i], std::to_string(i) + ": " + std::to_string(values[i]));
  }
}

// Around every multiple of what the kernels work on at a time, and where the counter's high word changes.
void normal_values_are_the_same_on(Isa isa) {
  const KernelTable& kernels = *kernel_table(isa);
  for (const size_t count : {0, 1, 2, 3, 4, 5, 7, 63, 509, 511, 512, 513, 1024, 1500, 200000}) {
    for (const uint64_t first :
         {uint64_t{0}, uint64_t{1}, uint64_t{2}, uint64_t{3}, uint64_t{510}, (uint64_t{1} << 34) - 50}) {
      std::vector<float> expected(count + 1, 7.0f), actual(count + 1, 7.0f);
      normal_values(expected.data(), count, 0xfedcba9876543210, first, 0.02);
      kernels.normal_f32(actual.data(), count, 0xfedcba9876543210, first, 0.02);
      BN_CHECK(std::memcmp(expected.data(), actual.data(), expected.size() * sizeof(float)) == 0,
               std::to_string(count) + " values from " + std::to_string(first));
    }
  }
}

// --- spans ---

FileIdentity identity_of(const std::string& path) { return File(path).identity(); }

double half_to_double(uint16_t bits) {
  const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

// A file of `count` elements, and what element i is as f32.
struct StoredElements {
  std::string bytes;
  std::function<float(size_t)> value;
};

StoredElements make_elements(Dtype dtype, size_t count) {
  std::vector<float> normal(count);
  normal_values(normal.data(), count, 11, 0, 1.0);
  StoredElements stored;
  stored.bytes.resize(count * size_bytes(dtype));
  const auto put = [&](size_t i, const auto& element) {
    std::memcpy(stored.bytes.data() + i * sizeof(element), &element, sizeof(element));
  };
  if (dtype == Dtype::kF32) {
    for (size_t i = 0; i < count; ++i) put(i, normal[i]);
    stored.value = [normal](size_t i) { return normal[i]; };
  } else if (dtype == Dtype::kF64) {
    for (size_t i = 0; i < count; ++i) put(i, normal[i] * (1 + 1e-9));
    stored.value = [normal](size_t i) { return static_cast<float>(normal[i] * (1 + 1e-9)); };
  } else if (dtype == Dtype::kBF16) {
    for (size_t i = 0; i < count; ++i) put(i, static_cast<uint16_t>(std::bit_cast<uint32_t>(normal[i]) >> 16));
    stored.value = [normal](size_t i) {
      return std::bit_cast<float>(std::bit_cast<uint32_t>(normal[i]) & 0xffff0000u);
    };
  } else {
    const auto half = [](size_t i) { return static_cast<uint16_t>((i * 40503u) & 0xfbff & ~(i % 2 ? 0x4000u : 0u)); };
    const auto finite = [half](size_t i) {
      const uint16_t bits = half(i);
      return static_cast<uint16_t>(((bits >> 10) & 31) == 31 ? bits & ~0x0400 : bits);
    };
    for (size_t i = 0; i < count; ++i) put(i, finite(i));
    stored.value = [finite](size_t i) { return static_cast<float>(half_to_double(finite(i))); };
  }
  return stored;
}

struct View {
  const char* name;
  std::vector<size_t> shape;
  std::vector<uint64_t> strides;
  size_t first;  // element
};

void check_view(const View& view, Dtype dtype, const KernelTable& kernels, size_t step) {
  uint64_t last = view.first;
  for (size_t i = 0; i < view.shape.size(); ++i) last += (view.shape[i] - 1) * view.strides[i];
  const size_t header_bytes = 3;  // so that no element is aligned
  const StoredElements stored = make_elements(dtype, last + 1);
  TemporaryFolder folder;
  const std::string path = folder.write("weights", std::string(header_bytes, 'x') + stored.bytes);
  const FileSpan span{path, identity_of(path), header_bytes + view.first * size_bytes(dtype), dtype, view.strides};
  const ParameterSources sources{{"w", {view.shape, span}}};
  ParameterReader reader(sources, kernels);
  ReadScratch scratch;
  const size_t rows = view.shape[0], columns = view.shape.size() == 2 ? view.shape[1] : 1;
  std::vector<float> out(rows * columns, NAN);
  for (size_t row = 0; row < rows; row += step) {
    reader.read_rows("w", row, std::min(rows, row + step), out.data() + row * columns, scratch);
  }
  if (rows > 2) reader.read_rows("w", 1, 2, out.data() + columns, scratch);  // going back is allowed
  reader.finish();
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < columns; ++j) {
      const size_t at = view.first + i * view.strides[0] + (columns > 1 ? j * view.strides[1] : 0);
      const float expected = stored.value(at), actual = out[i * columns + j];
      BN_CHECK(std::memcmp(&expected, &actual, sizeof(float)) == 0,
               std::string(view.name) + ", element (" + std::to_string(i) + ", " + std::to_string(j) + "): expected " +
                   std::to_string(expected) + ", got " + std::to_string(actual));
    }
  }
}

void reads_views(const KernelTable& kernels) {
  const std::vector<View> views{
      {"row-major", {37, 29}, {29, 1}, 5},
      {"transposed", {37, 29}, {1, 37}, 0},
      {"columns of a wider matrix", {37, 29}, {100, 1}, 7},
      {"columns of a much wider matrix", {20, 5}, {9000, 1}, 2},
      {"every second column", {37, 29}, {58, 2}, 1},
      {"rows and columns apart", {6, 5}, {7000, 1100}, 3},
      {"transposed, apart", {5, 6}, {1100, 7000}, 3},
      {"one row for all", {10, 29}, {0, 1}, 2},
      {"one element for all", {4, 5}, {0, 0}, 2},
      {"overlapping rows", {30, 8}, {1, 1}, 0},
      {"one column", {50, 1}, {3, 1}, 0},
      {"one row", {1, 50}, {1, 3}, 0},
      {"vector", {5000}, {1}, 4},
      {"vector with gaps", {5000}, {7}, 4},
  };
  for (const View& view : views) {
    for (const Dtype dtype : {Dtype::kF32, Dtype::kF16, Dtype::kBF16, Dtype::kF64}) {
      check_view(view, dtype, kernels, 1);
      check_view(view, dtype, kernels, 8);
      check_view(view, dtype, kernels, 100000);
    }
  }
}

// Larger than the staging buffer and than a window.
void reads_large_views() {
  check_view({"large, row-major", {1500, 1500}, {1500, 1}, 0}, Dtype::kF16, scalar_kernels(), 700);
  check_view({"large, transposed", {3500, 700}, {1, 3500}, 0}, Dtype::kF16, scalar_kernels(), 48);
  check_view({"large, transposed, in one go", {3500, 700}, {1, 3500}, 0}, Dtype::kF32, scalar_kernels(), 3500);
  check_view({"wide rows", {2, 1200000}, {1200003, 1}, 0}, Dtype::kF32, scalar_kernels(), 1);
  check_view({"wide rows with gaps", {2, 700000}, {1400000, 2}, 0}, Dtype::kF64, scalar_kernels(), 2);
}

void reads_what_is_no_file() {
  const ParameterSources sources{{"normal", {{5, 3}, NormalInit{9, 0.5, 2}}},
                                 {"constant", {{4}, ConstantInit{1.5f}}},
                                 {"values", {{2, 2}, std::vector<float>{1, 2, 3, 4}}}};
  ParameterReader reader(sources, scalar_kernels());
  ReadScratch scratch;
  std::vector<float> expected(15), out(15);
  normal_values(expected.data(), 15, 9, 0, 0.5);
  std::fill_n(expected.begin() + 6, 3, 0.0f);
  reader.read_rows("normal", 0, 5, out.data(), scratch);
  BN_CHECK(out == expected, "normal, whole");
  for (size_t row = 0; row < 5; ++row) reader.read_rows("normal", row, row + 1, out.data() + row * 3, scratch);
  BN_CHECK(out == expected, "normal, by rows");
  out.assign(4, 0);
  reader.read_rows("constant", 1, 3, out.data(), scratch);
  BN_CHECK((out == std::vector<float>{1.5f, 1.5f, 0, 0}), "constant");
  reader.read_rows("values", 1, 2, out.data(), scratch);
  BN_CHECK(out[0] == 3 && out[1] == 4, "values");
  reader.finish();
}

void refuses_wrong_sources() {
  const auto construct = [](const ParameterSource& source) {
    const ParameterSources sources{{"w", source}};
    ParameterReader reader(sources, scalar_kernels());
  };
  TemporaryFolder folder;
  const std::string path = folder.write("weights", std::string(100, 'a'));
  FileSpan span{path, identity_of(path), 0, Dtype::kF32, {5, 1}};
  construct({{5, 5}, span});
  check_throws(ErrorCode::kFileFormat, "beyond the end", [&] { construct({{5, 6}, span}); });
  span.byte_offset = 1;
  check_throws(ErrorCode::kFileFormat, "beyond the end", [&] { construct({{5, 5}, span}); });
  span.byte_offset = ~uint64_t{0};
  check_throws(ErrorCode::kFileFormat, "beyond the end", [&] { construct({{1, 1}, span}); });
  span.byte_offset = 0;
  span.strides = {uint64_t{1} << 62, 1};
  check_throws(ErrorCode::kFileFormat, "beyond the end", [&] { construct({{5, 5}, span}); });
  check_throws(ErrorCode::kFileFormat, "beyond the end", [&] { construct({{2, 5}, span}); });
  span.strides = {1};
  check_throws(ErrorCode::kFileFormat, "1 strides", [&] { construct({{5, 5}, span}); });
  check_throws(ErrorCode::kWeightShape, "4 dimensions", [&] { construct({{1, 2, 3, 1}, ConstantInit{}}); });
  check_throws(ErrorCode::kWeightShape, "3 values", [&] { construct({{2, 2}, std::vector<float>(3)}); });
  check_throws(ErrorCode::kWeightShape, "overflows", [&] { construct({{SIZE_MAX, 3}, ConstantInit{}}); });

  const ParameterSources sources{{"w", {{5, 5}, ConstantInit{}}}};
  const ParameterReader reader(sources, scalar_kernels());
  ReadScratch scratch;
  float out[25];
  check_throws(ErrorCode::kWeightMissing, "'v'", [&] { reader.read_rows("v", 0, 1, out, scratch); });
  check_throws(ErrorCode::kShape, "5 rows", [&] { reader.read_rows("w", 4, 6, out, scratch); });
  check_throws(ErrorCode::kShape, "5 rows", [&] { reader.read_rows("w", 3, 2, out, scratch); });
}

void notices_changed_files() {
  TemporaryFolder folder;
  const std::string path = folder.write("weights", std::string(80, 'a'));
  const ParameterSources sources{{"w", {{4, 5}, FileSpan{path, identity_of(path), 0, Dtype::kF32, {5, 1}}}}};
  const auto construct = [&] { ParameterReader reader(sources, scalar_kernels()); };
  {
    ParameterReader reader(sources, scalar_kernels());
    ReadScratch scratch;
    float out[20];
    reader.read_rows("w", 0, 4, out, scratch);
    std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
    check_throws(ErrorCode::kIo, "rewritten", [&] { reader.finish(); });
  }
  check_throws(ErrorCode::kIo, "was changed", construct);
  folder.write("weights", std::string(79, 'a'));
  check_throws(ErrorCode::kIo, "79 bytes now, 80 bytes then", construct);
  std::filesystem::remove(path);
  check_throws(ErrorCode::kIo, "opening", construct);
}

// A file that becomes shorter while it is read from.
void notices_a_file_that_ends_early() {
  TemporaryFolder folder;
  const std::string path = folder.write("weights", std::string(80, 'a'));
  const ParameterSources sources{{"w", {{4, 5}, FileSpan{path, identity_of(path), 0, Dtype::kF32, {5, 1}}}}};
  const ParameterReader reader(sources, scalar_kernels());
  ReadScratch scratch;
  float out[20];
  reader.read_rows("w", 0, 4, out, scratch);
  std::filesystem::resize_file(path, 60);
  reader.read_rows("w", 0, 3, out, scratch);
  check_throws(ErrorCode::kIo, "ended before", [&] { reader.read_rows("w", 3, 4, out, scratch); });
}

// Kernels of a convolution, stored in every order of their dimensions.
void reads_three_dimensions() {
  TemporaryFolder folder;
  const std::vector<size_t> shape{7, 5, 3};
  const size_t count = 7 * 5 * 3;
  for (const Dtype dtype : {Dtype::kF32, Dtype::kF16}) {
    const StoredElements stored = make_elements(dtype, count);
    const std::string path = folder.write("weights", stored.bytes);
    std::vector<size_t> order{0, 1, 2};  // from the slowest to the fastest
    do {
      std::vector<uint64_t> strides(3);
      strides[order[2]] = 1;
      strides[order[1]] = shape[order[2]];
      strides[order[0]] = shape[order[2]] * shape[order[1]];
      const ParameterSources sources{{"w", {shape, FileSpan{path, identity_of(path), 0, dtype, strides}}}};
      const ParameterReader reader(sources, scalar_kernels());
      ReadScratch scratch;
      std::vector<float> out(count, NAN);
      reader.read_rows("w", 0, 2, out.data(), scratch);
      reader.read_rows("w", 2, 7, out.data() + 2 * 15, scratch);
      for (size_t i = 0; i < count; ++i) {
        const size_t at = i / 15 * strides[0] + i / 3 % 5 * strides[1] + i % 3 * strides[2];
        BN_CHECK(out[i] == stored.value(at), "element " + std::to_string(i) + " of dimensions " +
                                                 std::to_string(order[0]) + std::to_string(order[1]) +
                                                 std::to_string(order[2]));
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

// Views of every kind and what is no file, read by rows on several threads at once.
void reads_on_several_threads() {
  TemporaryFolder folder;
  const size_t rows = 120, columns = 31;
  const StoredElements stored = make_elements(Dtype::kF16, rows * columns);
  const std::string path = folder.write("weights", stored.bytes);
  const FileIdentity identity = identity_of(path);
  const ParameterSources sources{{"lines", {{rows, columns}, FileSpan{path, identity, 0, Dtype::kF16, {columns, 1}}}},
                                 {"transposed", {{rows, columns}, FileSpan{path, identity, 0, Dtype::kF16, {1, rows}}}},
                                 {"normal", {{rows, columns}, NormalInit{9, 0.5, 2}}},
                                 {"constant", {{rows, columns}, ConstantInit{1.5f}}}};
  ParameterReader reader(sources, scalar_kernels());
  std::map<std::string, std::vector<float>> expected;
  ReadScratch alone;
  for (const auto& [name, source] : sources) {
    expected[name].resize(rows * columns);
    reader.read_rows(name, 0, rows, expected[name].data(), alone);
  }
  BN_CHECK(expected["lines"][columns + 2] == stored.value(columns + 2), "lines");
  BN_CHECK(expected["transposed"][columns + 2] == stored.value(1 + 2 * rows), "transposed");

  ThreadPool pool(4);
  std::vector<ReadScratch> scratch(pool.thread_count());
  for (const auto& [name, values] : expected) {
    std::vector<float> out(values.size(), NAN);
    pool.parallel_for(rows, [&, parameter = name](size_t row, size_t worker) {
      reader.read_rows(parameter, row, row + 1, out.data() + row * columns, scratch[worker]);
    });
    BN_CHECK(out == values, name);
  }
  reader.finish();
}

void add_tests() {
  add("encoder/random: Philox gives its authors' vectors", philox_matches_its_authors);
  add("encoder/random: normal values invert the distribution", normal_values_invert_the_distribution);
  add("encoder/random: normal values have the moments", normal_values_have_the_moments);
  add("encoder/random: normal values do not depend on the cut", normal_values_do_not_depend_on_the_cut);
  add("encoder/random: normal values are fixed", normal_values_are_fixed);
  for (const Isa isa : available_isas()) {
    add(std::string("encoder/random: normal values are the same, ") + isa_name(isa),
        [isa] { normal_values_are_the_same_on(isa); });
  }
  for (const Isa isa : available_isas()) {
    add(std::string("encoder/parameter_source: reads views, ") + isa_name(isa),
        [isa] { reads_views(*kernel_table(isa)); });
  }
  add("encoder/parameter_source: reads three dimensions", reads_three_dimensions);
  add("encoder/parameter_source: reads large views", reads_large_views);
  add("encoder/parameter_source: reads what is no file", reads_what_is_no_file);
  add("encoder/parameter_source: refuses wrong sources", refuses_wrong_sources);
  add("encoder/parameter_source: notices changed files", notices_changed_files);
  add("encoder/parameter_source: notices a file that ends early", notices_a_file_that_ends_early);
  add("encoder/parameter_source: reads on several threads", reads_on_several_threads);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
