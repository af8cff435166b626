#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/cpu_features.h"
#include "cpu/attention.h"
#include "cpu/product.h"
#include "cpu/requests.h"
#include "cpu/rotary.h"
#include "encoder/plan.h"
#include "harness.h"
#include "kernels/emulated_tiles.h"
#include "kernels/random.h"

// Attention alone, from random projections, with every kind of position: against sums in double.

namespace bert_native::test {

namespace {

constexpr size_t kHeads = 2, kHeadSize = 12, kPairs = 4;
constexpr size_t kWidth = kHeads * kHeadSize, kStride = 3 * kWidth + 5;

// What positions add.
struct Kind {
  bool to_key = false, to_query = false, bias = false, rotary = false, neighbours = false;
  float scale_factor = 1;
  bool zero_masked_queries = false;
  AttentionMask mask;
};

const AttentionMask kWindow{AttentionMaskKind::kWindow, 128}, kNarrow{AttentionMaskKind::kWindow, 3};

const std::map<std::string, Kind>& kinds() {
  static const std::map<std::string, Kind> all = {
      {"bias", {.bias = true}},
      {"bias, window", {.bias = true, .mask = kWindow}},
      {"to key", {.to_key = true, .scale_factor = 2}},
      {"to query", {.to_query = true, .scale_factor = 2}},
      {"disentangled", {.to_key = true, .to_query = true, .scale_factor = 3, .zero_masked_queries = true}},
      {"disentangled, causal", {.to_key = true, .to_query = true, .mask = {AttentionMaskKind::kCausal, 0}}},
      {"disentangled, window", {.to_key = true, .to_query = true, .mask = kNarrow}},
      {"everything", {.to_key = true, .to_query = true, .bias = true, .rotary = true, .mask = kWindow}},
      {"rotary halves", {.rotary = true}},
      {"rotary halves, window", {.rotary = true, .mask = kWindow}},
      {"rotary neighbours", {.rotary = true, .neighbours = true}},
      {"zeros, blind queries", {.zero_masked_queries = true, .mask = kNarrow}},
  };
  return all;
}

// Rows that stand for distances: as many as there are, logarithmic ones, and ones that fall and rise.
const std::map<std::string, std::vector<uint32_t>>& row_maps() {
  const auto make = [](size_t positions, auto row) {
    std::vector<uint32_t> rows;
    const ptrdiff_t last = static_cast<ptrdiff_t>(positions) - 1;
    for (ptrdiff_t distance = -last; distance <= last; ++distance) rows.push_back(static_cast<uint32_t>(row(distance)));
    return rows;
  };
  const auto logarithm = [](ptrdiff_t distance) {
    return std::lround(8 * std::log2(1 + std::fabs(static_cast<double>(distance))));
  };
  static const std::map<std::string, std::vector<uint32_t>> all = {
      {"one by one", make(1200, [](ptrdiff_t distance) { return distance + 1199; })},
      {"one by one, clamped", make(50, [](ptrdiff_t distance) { return distance + 49; })},
      {"logarithmic",
       make(1200,
            [&](ptrdiff_t distance) { return 90 + (distance < 0 ? -logarithm(distance) : logarithm(distance)); })},
      {"linear, then logarithmic", make(600,
                                        [&](ptrdiff_t distance) {
                                          const ptrdiff_t far = std::max<ptrdiff_t>(0, std::abs(distance) - 100);
                                          const ptrdiff_t near = std::clamp<ptrdiff_t>(distance, -100, 100);
                                          return 200 + near + (distance < 0 ? -logarithm(far) : logarithm(far));
                                        })},
      {"folded", make(600, [&](ptrdiff_t distance) { return logarithm(distance) + (distance > 0 ? 80 : 0); })},
      {"single", {0}},
  };
  return all;
}

// One sequence with its projections before positions turn them, and the tables by distance.
struct Problem {
  Kind kind;
  std::vector<uint32_t> row_of;
  size_t table_rows;
  AttentionPosition rotary;
  EncoderSpecification specification;
  std::vector<uint8_t> mask;
  std::vector<float> probabilities;
  float output = 0;
  Sequence sequence;
  PlannedBlock block;
  std::vector<float> projections, to_key, to_query, bias;  // [rows, kStride], [A, rows, D], [A, rows, D], [rows, A]

  Problem(const Kind& wanted, std::vector<uint32_t> rows, size_t length, Mask masked)
      : kind(wanted),
        row_of(std::move(rows)),
        table_rows(1 + *std::max_element(row_of.begin(), row_of.end())),
        probabilities(kHeads * length * length, NAN) {
    for (size_t i = 0; i < length; ++i) mask.push_back(Request::masked(masked, i, length) ? 0 : 1);
    sequence.length = length;
    sequence.attention_mask = mask.data();
    sequence.last_hidden_state = &output;
    sequence.attentions = {probabilities.data()};
    specification.layers.resize(1);
    specification.layers[0].attention.mask = kind.mask;
    block = plan_block(specification, {&sequence});
    rotary.kind = AttentionPositionKind::kRotary;
    rotary.neighbours = kind.neighbours;
    for (size_t i = 0; i < kPairs; ++i) {
      rotary.inverse_frequencies.push_back(std::pow(0.1f, static_cast<float>(i) / kPairs));
    }
    auto fill = [seed = uint64_t{40}](std::vector<float>& values, size_t size) mutable {
      values.resize(size);
      normal_values(values.data(), size, ++seed, 0, 1);
    };
    fill(projections, block.rows.size() * kStride);
    fill(to_key, kHeads * table_rows * kHeadSize);
    fill(to_query, kHeads * table_rows * kHeadSize);
    fill(bias, kHeads * table_rows);
  }
  Problem(const Problem&) = delete;
};

// [A, rows, D] as panels for one head after the other.
std::vector<float> pack(const std::vector<float>& table, size_t rows, const KernelTable& kernels) {
  const size_t panels = ceil_div(rows, kernels.gemm_cols), panel_size = kernels.gemm_cols * kHeadSize;
  std::vector<float> packed(kHeads * panels * panel_size);
  for (size_t head = 0; head < kHeads; ++head) {
    for (size_t panel = 0; panel < panels; ++panel) {
      const size_t row = panel * kernels.gemm_cols;
      kernels.gemm_pack_panel_f32(packed.data() + (head * panels + panel) * panel_size,
                                  table.data() + (head * rows + row) * kHeadSize, kHeadSize,
                                  std::min(kernels.gemm_cols, rows - row), kHeadSize);
    }
  }
  return packed;
}

using Tasks = std::vector<AttentionTask>;

Tasks whole_tasks(const Problem& problem) {
  Tasks tasks;
  for (size_t head = 0; head < kHeads; ++head) tasks.push_back({0, head, 0, problem.block.rows.size()});
  return tasks;
}

// The contexts [rows, A·D]; probabilities are left in the problem.
std::vector<float> attend_all(Problem& problem, const Tasks& tasks, const KernelTable& kernels,
                              MatrixType type = MatrixType::kF32) {
  const Kind& kind = problem.kind;
  const std::vector<float> key_panels = pack(problem.to_key, problem.table_rows, kernels);
  const std::vector<float> query_panels = pack(problem.to_query, problem.table_rows, kernels);
  const DistanceRows rows(problem.row_of);
  AttentionLayer layer{.heads = kHeads,
                       .head_size = kHeadSize,
                       .gemm = &kernels.gemm_of(type),
                       .mask = kind.mask,
                       .scale_factor = kind.scale_factor,
                       .zero_masked_queries = kind.zero_masked_queries,
                       .distance_rows = &rows};
  if (kind.to_key) layer.query_distances = {key_panels.data(), key_panels.size() / kHeads};
  if (kind.to_query) layer.key_distances = {query_panels.data(), query_panels.size() / kHeads};
  if (kind.bias) layer.bias = problem.bias.data();
  std::vector<float> in_place = problem.projections;
  if (kind.rotary) {
    const RotaryTable table(problem.rotary, problem.sequence.length, kernels);
    for (size_t row = 0; row < problem.block.rows.size(); ++row) {
      table.turn(in_place.data() + row * kStride, 2 * kHeads, kHeadSize, problem.block.rows[row].position);
    }
  }
  AttentionScratch scratch;
  for (const AttentionTask& task : tasks) {
    attend(layer, problem.block, task, in_place.data(), kStride, scratch, kernels);
  }
  std::vector<float> contexts;
  for (size_t row = 0; row < problem.block.rows.size(); ++row) {
    contexts.insert(contexts.end(), in_place.begin() + static_cast<ptrdiff_t>(row * kStride),
                    in_place.begin() + static_cast<ptrdiff_t>(row * kStride + kWidth));
  }
  return contexts;
}

// --- the same in double ---

using Values = std::vector<double>;

class Naive {
 public:
  explicit Naive(const Problem& problem)
      : problem_(problem), length_(problem.sequence.length), row_of_column_(length_) {
    for (size_t row = 0; row < problem.block.rows.size(); ++row) {
      row_of_column_[problem.block.rows[row].position] = row;
    }
    contexts.assign(problem.block.rows.size() * kWidth, 0.0);
    probabilities.assign(kHeads * length_ * length_, 0.0);
    for (size_t column = 0; column < length_; ++column) {
      queries_.push_back(turned(column, 0));
      keys_.push_back(turned(column, kWidth));
    }
    for (size_t head = 0; head < kHeads; ++head) {
      for (size_t l = 0; l < length_; ++l) attend_from(head, l);
    }
  }

  Values contexts, probabilities;

 private:
  const float* row(size_t column) const { return problem_.projections.data() + row_of_column_[column] * kStride; }

  Values turned(size_t column, size_t offset) const {
    Values x(row(column) + offset, row(column) + offset + kWidth);
    for (size_t head = 0; problem_.kind.rotary && head < kHeads; ++head) {
      for (size_t i = 0; i < kPairs; ++i) {
        double& a = x[head * kHeadSize + (problem_.kind.neighbours ? 2 * i : i)];
        double& b = x[head * kHeadSize + (problem_.kind.neighbours ? 2 * i + 1 : i + kPairs)];
        const double angle = static_cast<double>(column) * problem_.rotary.inverse_frequencies[i], before = a;
        a = a * std::cos(angle) - b * std::sin(angle);
        b = b * std::cos(angle) + before * std::sin(angle);
      }
    }
    return x;
  }

  bool sees(size_t l, size_t r) const {
    const AttentionMask& mask = problem_.kind.mask;
    const size_t distance = l > r ? l - r : r - l;
    if (mask.kind == AttentionMaskKind::kWindow && distance > mask.window / 2) return false;
    return problem_.mask[r] != 0 && (mask.kind != AttentionMaskKind::kCausal || r <= l);
  }

  double score(size_t head, size_t l, size_t r) const {
    const Kind& kind = problem_.kind;
    const ptrdiff_t reach = static_cast<ptrdiff_t>(problem_.row_of.size() / 2);
    const ptrdiff_t distance = std::clamp(static_cast<ptrdiff_t>(l) - static_cast<ptrdiff_t>(r), -reach, reach);
    const size_t d = problem_.row_of[static_cast<size_t>(distance + reach)];
    const float* to_key = problem_.to_key.data() + (head * problem_.table_rows + d) * kHeadSize;
    const float* to_query = problem_.to_query.data() + (head * problem_.table_rows + d) * kHeadSize;
    double sum = 0;
    for (size_t i = 0; i < kHeadSize; ++i) {
      const double q = queries_[l][head * kHeadSize + i], k = keys_[r][head * kHeadSize + i];
      sum += q * k + (kind.to_key ? q * to_key[i] : 0) + (kind.to_query ? k * to_query[i] : 0);
    }
    return sum / std::sqrt(kHeadSize * static_cast<double>(kind.scale_factor)) +
           (kind.bias ? problem_.bias[d * kHeads + head] : 0);
  }

  void attend_from(size_t head, size_t l) {
    if (problem_.kind.zero_masked_queries && problem_.mask[l] == 0) return;
    double* p = probabilities.data() + (head * length_ + l) * length_;
    bool any = false;
    for (size_t r = 0; r < length_; ++r) any = any || sees(l, r);
    double sum = 0;
    for (size_t r = 0; r < length_; ++r) {
      if (!any || sees(l, r)) sum += p[r] = any ? std::exp(score(head, l, r)) : 1;
    }
    double* context = contexts.data() + row_of_column_[l] * kWidth + head * kHeadSize;
    for (size_t r = 0; r < length_; ++r) {
      p[r] /= sum;
      const float* value = row(r) + 2 * kWidth + head * kHeadSize;
      for (size_t i = 0; i < kHeadSize; ++i) context[i] += p[r] * value[i];
    }
  }

  const Problem& problem_;
  size_t length_;
  std::vector<size_t> row_of_column_;
  std::vector<Values> queries_, keys_;
};

void check_close(const std::string& what, const std::vector<float>& actual, const Values& expected) {
  BN_CHECK(actual.size() == expected.size(), what + " has another size");
  for (size_t i = 0; i < actual.size(); ++i) {
    BN_CHECK(std::fabs(actual[i] - expected[i]) <= 2e-5 + 2e-5 * std::fabs(expected[i]),
             what + "[" + std::to_string(i) + "] is " + std::to_string(actual[i]) + ", expected " +
                 std::to_string(expected[i]));
  }
}

struct Shape {
  size_t length;
  Mask mask;
};

// Around the sizes of tiles, and of one, two and three blocks of keys.
const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{1, Mask::kAll},    {7, Mask::kRight},     {66, Mask::kAll},
                                         {66, Mask::kLeft},  {66, Mask::kInterior}, {66, Mask::kNothing},
                                         {66, Mask::kOne},   {530, Mask::kAll},     {530, Mask::kRight},
                                         {1100, Mask::kAll}, {1100, Mask::kLeft},   {1000, Mask::kInterior}};
  return all;
}

void agrees_with_double(Isa isa, const std::string& kind_name, const std::string& map_name) {
  static std::map<std::string, std::unique_ptr<Naive>> known;  // the same for every instruction set
  for (const Shape& shape : shapes()) {
    Problem problem(kinds().at(kind_name), row_maps().at(map_name), shape.length, shape.mask);
    const std::string name =
        std::to_string(shape.length) + " positions, mask " + std::to_string(static_cast<int>(shape.mask));
    std::unique_ptr<Naive>& expected = known[kind_name + map_name + name];
    if (!expected) expected = std::make_unique<Naive>(problem);
    check_close(name + ": contexts", attend_all(problem, whole_tasks(problem), *kernel_table(isa)), expected->contexts);
    check_close(name + ": probabilities", problem.probabilities, expected->probabilities);
  }
}

Tasks random_cuts(const Problem& problem, size_t longest, Numbers& numbers) {
  Tasks tasks;
  const size_t queries = problem.block.rows.size();
  for (size_t head = 0; head < kHeads; ++head) {
    for (size_t begin = 0, end; begin < queries; begin = end) {
      end = std::min(queries, begin + 1 + numbers.below(longest));
      tasks.push_back({0, head, begin, end});
    }
  }
  return tasks;
}

void same_bits_however_queries_are_cut(const KernelTable& kernels, MatrixType type) {
  for (const auto& [name, kind] : kinds()) {
    if (type != MatrixType::kF32 && (kind.to_key || kind.to_query)) continue;
    for (const Mask mask : {Mask::kAll, Mask::kInterior}) {
      Problem problem(kind, row_maps().at("folded"), 600, mask);
      const std::vector<float> expected = attend_all(problem, whole_tasks(problem), kernels, type);
      const std::vector<float> probabilities = problem.probabilities;
      Numbers numbers(6);
      for (const size_t longest : {size_t{1}, size_t{40}, size_t{250}}) {
        BN_CHECK(same_bits(attend_all(problem, random_cuts(problem, longest, numbers), kernels, type), expected),
                 name + ": tasks of up to " + std::to_string(longest));
        BN_CHECK(same_bits(problem.probabilities, probabilities), name + ": probabilities");
      }
    }
  }
}

// Operands rounded to bf16, of the kinds of attention that may be.
void rounds_to_bf16(const KernelTable& kernels) {
  if (!kernels.gemm_of(MatrixType::kBf16).rounds_both) return;
  for (const auto& [name, kind] : kinds()) {
    if (kind.to_key || kind.to_query) continue;
    for (const Shape& shape : shapes()) {
      Problem problem(kind, row_maps().at("logarithmic"), shape.length, shape.mask);
      const Naive expected(problem);
      const std::vector<float> rounded = attend_all(problem, whole_tasks(problem), kernels, MatrixType::kBf16);
      double squares = 0, differences = 0;
      for (size_t i = 0; i < rounded.size(); ++i) {
        squares += std::pow(expected.contexts[i], 2);
        differences += std::pow(rounded[i] - expected.contexts[i], 2);
      }
      BN_CHECK(std::sqrt(differences) <= 0.01 * std::sqrt(squares),
               name + ", " + std::to_string(shape.length) + " positions: relative error " +
                   std::to_string(std::sqrt(differences / squares)));
    }
  }
  same_bits_however_queries_are_cut(kernels, MatrixType::kBf16);
}

void memory_is_bounded(Isa isa) {
  const KernelTable& kernels = *kernel_table(isa);
  constexpr size_t kLength = 8192, kRest = 512 << 10;
  for (const auto& [name, row_of] : row_maps()) {
    Sequence sequence;
    float output = 0;
    sequence.length = kLength;
    sequence.last_hidden_state = &output;
    const PlannedBlock block = plan_block({}, {&sequence});
    const size_t table_rows = 1 + *std::max_element(row_of.begin(), row_of.end());
    const std::vector<float> table(kHeads * table_rows * kHeadSize, 0.5f), panels = pack(table, table_rows, kernels);
    const DistanceRows rows(row_of);
    const AttentionLayer layer{.heads = kHeads,
                               .head_size = kHeadSize,
                               .gemm = &kernels.gemm_of(MatrixType::kF32),
                               .distance_rows = &rows,
                               .query_distances = {panels.data(), panels.size() / kHeads},
                               .key_distances = {panels.data(), panels.size() / kHeads},
                               .bias = table.data()};
    std::vector<float> projections(kLength * kStride, 0.1f);
    AttentionScratch scratch;
    attend(layer, block, {0, 1, 4000, 4100}, projections.data(), kStride, scratch, kernels);
    const size_t value_columns = ceil_div(kHeadSize, kernels.gemm_cols) * kernels.gemm_cols;
    const size_t packed = kLength * (2 * kHeadSize + value_columns) * sizeof(float);
    const size_t products = 32 * (table_rows + 48) * sizeof(float);
    BN_CHECK(scratch.size_in_bytes() <= packed + products + kRest,
             name + ": 8,192 keys take " + std::to_string(scratch.size_in_bytes()) + " bytes");
  }
}

void add_tests() {
  for (const Isa isa : available_isas()) {
    const std::string suffix = std::string(", ") + isa_name(isa);
    for (const auto& [kind_name, kind] : kinds()) {
      const bool all_maps = kind_name == "bias" || kind_name == "disentangled";
      for (const auto& row_map : row_maps()) {
        if (!all_maps && row_map.first != "folded") continue;
        add("cpu/attention positions: agrees with double, " + kind_name + ", " + row_map.first + suffix,
            [isa, kind_name, map_name = row_map.first] { agrees_with_double(isa, kind_name, map_name); });
      }
    }
    add("cpu/attention positions: same bits however queries are cut" + suffix,
        [isa] { same_bits_however_queries_are_cut(*kernel_table(isa), MatrixType::kF32); });
    add("cpu/attention positions: operands of bf16" + suffix, [isa] { rounds_to_bf16(*kernel_table(isa)); });
    add("cpu/attention positions: memory is bounded" + suffix, [isa] { memory_is_bounded(isa); });
  }
  add("cpu/attention positions: operands of bf16, amx (emulated)", [] { rounds_to_bf16(emulated_amx_kernels()); });
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
