#include "encoder/plan.h"

#include <string>
#include <utility>
#include <vector>

#include "harness.h"

namespace bert_native::test {

namespace {

// A sequence that is only planned: its outputs point nowhere that is written to.
struct Planned {
  std::vector<uint8_t> mask;
  float output = 0;
  Sequence sequence;

  explicit Planned(std::vector<uint8_t> attention_mask) : mask(std::move(attention_mask)) {
    sequence.length = mask.size();
    sequence.attention_mask = mask.data();
  }
  Planned(const Planned&) = delete;
  void want_tokens() { sequence.last_hidden_state = &output; }
  void want_pooler() { sequence.pooler_output = &output; }
  void want_pooled() { sequence.pooled = &output; }
};

// "0:2 0:3 | 0:0" for the rows of a block: sequence:position, keys before the bar, mere queries behind.
std::string rows_of(const PlannedBlock& block) {
  std::string text;
  for (size_t i = 0; i < block.rows.size(); ++i) {
    if (i == block.key_rows) text += "| ";
    text += std::to_string(block.rows[i].sequence) + ":" + std::to_string(block.rows[i].position) + " ";
  }
  return text;
}

// Sequences, and the block that they make. The block points into the sequences.
struct Plan {
  std::vector<Sequence> sequences;
  PlannedBlock block;

  Plan(std::vector<Sequence> planned, const OutputOptions& options, const EncoderSpecification& specification = {})
      : sequences(std::move(planned)) {
    std::vector<const Sequence*> pointers;
    for (Sequence& sequence : sequences) {
      sequence.options = options;
      pointers.push_back(&sequence);
    }
    block = plan_block(specification, pointers);
  }
  Plan(const Plan&) = delete;
};

void check_plan(const std::vector<Sequence>& sequences, const OutputOptions& options, const std::string& expected,
                const EncoderSpecification& specification = {}) {
  const Plan plan(sequences, options, specification);
  const std::string actual = rows_of(plan.block);
  BN_CHECK(actual == expected, "planned '" + actual + "', expected '" + expected + "'");
  size_t rows = 0;
  for (const Sequence& sequence : plan.sequences) rows += needed_rows(specification, sequence);
  BN_CHECK(rows == plan.block.rows.size(),
           "needed_rows says " + std::to_string(rows) + " for a block of " + std::to_string(plan.block.rows.size()));
}

const OutputOptions kCompute{};
const OutputOptions kSkip{.compute_masked_positions = false};
const OutputOptions kSkipCls{.compute_masked_positions = false, .pooling = {Pooling::kCls}};

void plans_rows_by_demand() {
  Planned tokens({0, 1, 1, 0}), pooler({0, 1, 1, 0}), mean({0, 1, 1, 0}), nothing({0, 1, 1, 0}), full({1, 1});
  tokens.want_tokens();
  pooler.want_pooler();
  mean.want_pooled();
  full.want_tokens();
  full.want_pooler();
  check_plan({tokens.sequence}, kCompute, "0:1 0:2 | 0:0 0:3 ");
  check_plan({tokens.sequence}, kSkip, "0:1 0:2 ");
  check_plan({pooler.sequence}, kCompute, "0:1 0:2 | 0:0 ");
  check_plan({pooler.sequence}, kSkip, "0:1 0:2 | 0:0 ");
  check_plan({mean.sequence}, kCompute, "0:1 0:2 ");
  check_plan({mean.sequence}, kSkip, "0:1 0:2 ");
  check_plan({mean.sequence}, kSkipCls, "0:1 0:2 | 0:0 ");
  check_plan({nothing.sequence}, kCompute, "");
  check_plan({full.sequence}, kCompute, "0:0 0:1 ");
  check_plan({tokens.sequence, pooler.sequence}, kCompute, "0:1 0:2 1:1 1:2 | 0:0 0:3 1:0 ");
}

void plans_sequences_without_keys() {
  Planned tokens({0, 0, 0}), pooler({0, 0, 0}), mean({0, 0, 0}), empty({});
  tokens.want_tokens();
  pooler.want_pooler();
  mean.want_pooled();
  empty.want_tokens();
  empty.want_pooler();
  empty.want_pooled();
  check_plan({tokens.sequence}, kCompute, "0:0 0:1 0:2 ");
  check_plan({tokens.sequence}, kSkip, "");
  check_plan({pooler.sequence}, kSkip, "0:0 0:1 0:2 ");
  check_plan({mean.sequence}, kCompute, "");
  check_plan({mean.sequence}, kSkipCls, "0:0 0:1 0:2 ");
  check_plan({empty.sequence}, kCompute, "");
  const Plan plan({tokens.sequence}, kCompute);
  BN_CHECK(plan.block.sequences[0].uniform_attention, "attention over no key is uniform");
}

EncoderSpecification with_mask(AttentionMask mask) {
  EncoderSpecification specification;
  specification.layers.resize(3);
  specification.layers[1].attention.mask = mask;
  return specification;
}

// A masked position that sees no key attends to all positions, whose values are needed then.
void plans_queries_that_see_no_key() {
  const EncoderSpecification window = with_mask({AttentionMaskKind::kWindow, 4});
  const EncoderSpecification causal = with_mask({AttentionMaskKind::kCausal, 0});
  const auto check = [](std::vector<uint8_t> mask, const EncoderSpecification& specification, bool tokens,
                        const std::string& expected, bool blind) {
    Planned planned(std::move(mask));
    if (tokens) {
      planned.want_tokens();
    } else {
      planned.want_pooler();
    }
    check_plan({planned.sequence}, kCompute, expected, specification);
    const Plan plan({planned.sequence}, kCompute, specification);
    BN_CHECK(plan.block.sequences[0].blind_queries == blind, "wrong for '" + expected + "'");
    BN_CHECK(plan.block.value_rows == (blind ? plan.block.rows.size() : plan.block.key_rows), "value_rows");
  };
  check({0, 0, 1}, window, true, "0:2 | 0:0 0:1 ", false);
  check({0, 0, 0, 1}, window, true, "0:3 | 0:0 0:1 0:2 ", true);
  check({1, 0, 0}, window, true, "0:0 | 0:1 0:2 ", false);
  check({1, 0, 0, 0}, window, true, "0:0 | 0:1 0:2 0:3 ", true);
  check({1, 0, 0, 0, 0, 1}, window, true, "0:0 0:5 | 0:1 0:2 0:3 0:4 ", false);
  check({1, 0, 0, 0, 0, 0, 1}, window, true, "0:0 0:6 | 0:1 0:2 0:3 0:4 0:5 ", true);
  check({0, 0, 1, 0, 0, 0}, window, false, "0:2 | 0:0 ", false);
  check({0, 0, 0, 1, 0}, window, false, "0:3 | 0:0 0:1 0:2 0:4 ", true);
  check({1, 0, 0, 0, 0}, causal, true, "0:0 | 0:1 0:2 0:3 0:4 ", false);
  check({0, 1, 0}, causal, true, "0:1 | 0:0 0:2 ", true);
  check({0, 1, 0}, causal, false, "0:1 | 0:0 0:2 ", true);
  check({0, 1, 0}, {}, false, "0:1 | 0:0 ", false);
}

void puts_the_longest_first() {
  Planned one({1}), two({1, 1}), four({1, 1, 1, 1});
  one.want_tokens();
  two.want_tokens();
  four.want_tokens();
  check_plan({one.sequence, four.sequence, two.sequence}, kCompute, "0:0 0:1 0:2 0:3 1:0 1:1 2:0 ");
}

// Sequences of several calls, each with options of its own.
void plans_sequences_by_their_own_options() {
  Planned a({0, 1, 1}), b({0, 1, 1});
  a.want_tokens();
  b.want_tokens();
  a.sequence.options = kSkip;
  const PlannedBlock block = plan_block({}, {&a.sequence, &b.sequence});
  BN_CHECK(rows_of(block) == "0:1 0:2 1:1 1:2 | 1:0 ", rows_of(block));
}

void says_where_position_0_lies() {
  Planned key({1, 1, 0}), query({0, 1, 1}), none({0, 0});
  key.want_pooler();
  query.want_pooler();
  none.want_pooler();
  const Plan plan({key.sequence, query.sequence, none.sequence}, kSkip);
  const PlannedBlock& block = plan.block;
  BN_CHECK(rows_of(block) == "0:0 0:1 1:1 1:2 2:0 2:1 | 1:0 ", rows_of(block));
  for (size_t i = 0; i < 3; ++i) {
    const PlannedRow row = block.rows[block.sequences[i].first_row];
    BN_CHECK(row.sequence == i && row.position == 0, "first_row of sequence " + std::to_string(i));
  }
}

std::string last_rows_of(const PlannedBlock& block) {
  std::string text;
  for (const uint32_t row : block.last_rows) text += std::to_string(row) + " ";
  return text;
}

EncoderSpecification with_heads() {
  EncoderSpecification specification;
  specification.layers.resize(2);
  specification.pooler = Activation::kTanh;
  specification.heads = {{"tokens", HeadInputKind::kTokens, {}, {}},
                         {"pooler", HeadInputKind::kPooler, {}, {}},
                         {"mean", HeadInputKind::kPooled, {Pooling::kMean}, {}},
                         {"last", HeadInputKind::kPooled, {Pooling::kLastToken}, {}}};
  return specification;
}

// Rows that heads need, and which of them leave the last layer.
void plans_rows_for_heads() {
  const EncoderSpecification specification = with_heads();
  const auto check = [&](std::vector<uint8_t> mask, const std::string& head, const OutputOptions& options,
                         const std::string& rows, const std::string& last_rows, const int32_t* positions = nullptr,
                         size_t position_count = 0) {
    Planned planned(std::move(mask));
    for (const HeadSpecification& known : specification.heads) {
      planned.sequence.heads.push_back(known.name == head ? &planned.output : nullptr);
    }
    planned.sequence.head_positions = positions;
    planned.sequence.head_position_count = position_count;
    check_plan({planned.sequence}, options, rows, specification);
    const std::string actual = last_rows_of(Plan({planned.sequence}, options, specification).block);
    BN_CHECK(actual == last_rows, head + " is made of the last states '" + actual + "', expected '" + last_rows + "'");
  };
  const int32_t positions[] = {0, 2, 3};
  check({0, 1, 1, 0}, "tokens", kCompute, "0:1 0:2 | 0:0 0:3 ", "0 1 2 3 ");
  check({0, 1, 1, 0}, "tokens", kSkip, "0:1 0:2 ", "0 1 ");
  check({0, 1, 1, 0, 0}, "tokens", kCompute, "0:1 0:2 | 0:0 0:3 ", "1 2 3 ", positions, 3);
  check({0, 1, 1, 0, 0}, "tokens", kSkip, "0:1 0:2 ", "1 ", positions, 3);
  check({0, 1, 1, 0}, "pooler", kSkip, "0:1 0:2 | 0:0 ", "2 ");
  check({1, 1, 1, 0}, "pooler", kCompute, "0:0 0:1 0:2 ", "0 ");
  check({0, 1, 1, 1}, "mean", kCompute, "0:1 0:2 0:3 ", "0 1 2 ");
  check({0, 1, 1, 1}, "mean", {.pooling_skip = 1}, "0:1 0:2 0:3 ", "1 2 ");
  check({0, 1, 1, 1, 0}, "last", kCompute, "0:1 0:2 0:3 ", "2 ");
  // Zeros are pooled, and the head is made of them.
  check({0, 0}, "mean", kSkip, "0:0 0:1 ", "0 ");
  check({0, 0}, "tokens", kSkip, "", "");
}

void keeps_all_rows_where_neighbours_meet() {
  EncoderSpecification specification = with_heads();
  specification.layers.resize(1);
  Planned planned({1, 1, 1});
  planned.want_pooler();
  BN_CHECK(last_rows_of(Plan({planned.sequence}, kCompute, specification).block) == "0 ", "one layer");
  specification.convolution = ConvolutionSpecification{};
  BN_CHECK(last_rows_of(Plan({planned.sequence}, kCompute, specification).block) == "0 1 2 ", "a convolution");
  specification.layers.clear();
  specification.convolution.reset();
  BN_CHECK(last_rows_of(Plan({planned.sequence}, kCompute, specification).block) == "0 1 2 ", "no layers");
}

void add_tests() {
  add("encoder/plan: rows that heads need", plans_rows_for_heads);
  add("encoder/plan: keeps all rows where neighbours meet", keeps_all_rows_where_neighbours_meet);
  add("encoder/plan: rows are those that results need", plans_rows_by_demand);
  add("encoder/plan: sequences without keys", plans_sequences_without_keys);
  add("encoder/plan: queries that see no key", plans_queries_that_see_no_key);
  add("encoder/plan: the longest sequence first", puts_the_longest_first);
  add("encoder/plan: sequences by their own options", plans_sequences_by_their_own_options);
  add("encoder/plan: says where position 0 lies", says_where_position_0_lies);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
