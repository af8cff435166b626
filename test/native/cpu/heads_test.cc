#include "cpu/heads.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "check_throws.h"
#include "common/errors.h"
#include "cpu/encoder.h"
#include "cpu/naive_heads.h"
#include "cpu/requests.h"
#include "encoder/plan.h"
#include "harness.h"
#include "kernels/emulated_tiles.h"

namespace bert_native::test {

namespace {

// --- models with heads ---

HeadStep linear_step(std::string name, size_t outputs, bool bias = true) {
  return {.kind = HeadStepKind::kLinear, .name = std::move(name), .outputs = outputs, .bias = bias};
}
HeadStep words_step(bool bias) { return {.kind = HeadStepKind::kWordEmbeddings, .name = "decoder", .bias = bias}; }
HeadStep norm_step(bool bias) {
  return {.kind = HeadStepKind::kNorm, .name = "norm", .norm = {.eps = 1e-3f, .bias = bias}};
}
HeadStep activation_step(Activation activation) {
  return {.kind = HeadStepKind::kActivation, .activation = activation};
}
HeadStep normalize_step() { return {.kind = HeadStepKind::kNormalize}; }

const std::vector<Pooling> kAllModes = {Pooling::kCls,          Pooling::kMax,
                                        Pooling::kMean,         Pooling::kMeanSqrtLength,
                                        Pooling::kWeightedMean, Pooling::kLastToken};

// Every kind of input and of step, alone and behind others.
EncoderSpecification with_heads(EncoderSpecification specification) {
  const size_t H = specification.hidden_size;
  using Kind = HeadInputKind;
  specification.heads = {
      {"labels", Kind::kTokens, {}, {linear_step("classifier", 5)}},
      {"tied",
       Kind::kTokens,
       {},
       {linear_step("dense", H), activation_step(Activation::kGeluErf), norm_step(true), words_step(true)}},
      {"untied", Kind::kTokens, {}, {norm_step(false), linear_step("decoder", 300, false)}},
      {"words", Kind::kTokens, {}, {words_step(false), activation_step(Activation::kTanh), normalize_step()}},
      {"states", Kind::kTokens, {}, {}},
      {"classes", Kind::kPooler, {}, {linear_step("classifier", 3)}},
      {"first",
       Kind::kPooled,
       {Pooling::kCls},
       {linear_step("dense", 70), activation_step(Activation::kRelu), linear_step("out", 4, false)}},
      {"sentence", Kind::kPooled, kAllModes, {linear_step("dense", 40), norm_step(false), normalize_step()}},
      {"last",
       Kind::kPooled,
       {Pooling::kLastToken},
       {activation_step(Activation::kSilu), linear_step("dense", 17, false), activation_step(Activation::kTanh),
        activation_step(Activation::kGeluTanh)}},
  };
  return specification;
}

// --- requests for heads ---

// What a request's heads write to. Outputs start as NaN, so that what is left out shows.
struct HeadRequest {
  std::unique_ptr<Request> request;
  std::vector<int32_t> positions;
  bool listed = false;
  std::vector<std::vector<float>> outputs;
  std::vector<float> pooled;

  size_t rows_of(const HeadSpecification& head) const {
    if (head.input != HeadInputKind::kTokens) return 1;
    return listed ? positions.size() : request->sequence.length;
  }

  void want(const EncoderSpecification& specification, const std::vector<bool>& heads, const OutputOptions& options) {
    Sequence& sequence = request->sequence;
    sequence.options = options;
    sequence.head_positions = listed ? positions.data() : nullptr;
    sequence.head_position_count = listed ? positions.size() : 0;
    sequence.heads.assign(specification.heads.size(), nullptr);
    outputs.assign(specification.heads.size(), {});
    for (size_t head = 0; head < heads.size(); ++head) {
      const size_t rows = rows_of(specification.heads[head]);
      if (!heads[head] || rows == 0) continue;
      outputs[head].assign(rows * head_width(specification.heads[head], specification), NAN);
      sequence.heads[head] = outputs[head].data();
    }
    pooled.assign(options.pooling.size() * specification.hidden_size, NAN);
    sequence.pooled = pooled.data();
  }
};

std::vector<HeadRequest> make_head_requests(const EncoderSpecification& specification, uint32_t seed) {
  Numbers numbers(seed);
  std::vector<HeadRequest> requests;
  for (Request& request : make_requests(specification, seed, {1, 2, 7, 33, 64})) {
    HeadRequest made{
        .request = std::make_unique<Request>(std::move(request)), .positions = {}, .outputs = {}, .pooled = {}};
    made.listed = numbers.below(2) == 0;
    for (size_t position = 0; made.listed && position < made.request->sequence.length; ++position) {
      if (numbers.below(4) == 0) made.positions.push_back(static_cast<int32_t>(position));
    }
    made.positions.reserve(1);  // a null pointer would stand for no list at all
    requests.push_back(std::move(made));
  }
  return requests;
}

void run(const CpuEncoder& encoder, std::vector<HeadRequest>& requests, ThreadPool& pool) {
  std::vector<Sequence> sequences;
  for (const HeadRequest& request : requests) sequences.push_back(request.request->sequence);
  check_batch(encoder.specification(), sequences);
  std::vector<const Sequence*> block;
  for (const Sequence& sequence : sequences) block.push_back(&sequence);
  PassControl control;
  Workspace workspace;
  encoder.run_block(block, pool, control, workspace);
}

// The last hidden state at every position, by itself.
Rows states_of(const CpuEncoder& encoder, HeadRequest& request, ThreadPool& pool) {
  const size_t hidden_size = encoder.specification().hidden_size, length = request.request->sequence.length;
  std::vector<float> states(length * hidden_size);
  Sequence sequence = request.request->sequence;
  sequence.heads.clear();
  sequence.pooled = nullptr;
  sequence.options.compute_masked_positions = true;
  sequence.last_hidden_state = states.data();
  PassControl control;
  Workspace workspace;
  encoder.run_block({&sequence}, pool, control, workspace);
  Rows rows;
  for (size_t i = 0; i < length; ++i) {
    rows.emplace_back(states.begin() + static_cast<ptrdiff_t>(i * hidden_size),
                      states.begin() + static_cast<ptrdiff_t>((i + 1) * hidden_size));
  }
  return rows;
}

ReadParameter parameters_of(const CpuEncoder& encoder) {
  return [&encoder](const std::string& name) {
    for (const Parameter& parameter : encoder_parameters(encoder.specification())) {
      if (parameter.name != name) continue;
      size_t size = 1;
      for (const size_t n : parameter.shape) size *= n;
      std::vector<float> values(size);
      encoder.read_parameter(name, values.data());
      return values;
    }
    throw Error(ErrorCode::kWeightMissing, name);
  };
}

// --- agreement ---

void check_row(const std::string& what, const float* actual, const Row& expected) {
  for (size_t i = 0; i < expected.size(); ++i) {
    BN_CHECK(std::fabs(actual[i] - expected[i]) <= 2e-5 + 2e-5 * std::fabs(expected[i]),
             what + "[" + std::to_string(i) + "] is " + std::to_string(actual[i]) + ", expected " +
                 std::to_string(expected[i]));
  }
}

void check_head(const std::string& name, const HeadRequest& request, const HeadSpecification& head,
                const std::vector<float>& output, const Rows& states, const EncoderSpecification& specification,
                const ReadParameter& read) {
  const Sequence& sequence = request.request->sequence;
  const size_t width = head_width(head, specification), rows = request.rows_of(head);
  BN_CHECK(output.size() == rows * width, name + " has " + std::to_string(output.size()) + " elements");
  for (size_t row = 0; row < rows; ++row) {
    const size_t position =
        request.listed && head.input == HeadInputKind::kTokens ? static_cast<size_t>(request.positions[row]) : row;
    Row expected(width, 0.0);
    if (head.input == HeadInputKind::kPooler && sequence.length > 0) {
      expected = naive_head(naive_pooler(states[0], specification, read), head, read);
    } else if (head.input == HeadInputKind::kPooled && sequence.length > 0) {
      expected = naive_head(naive_pool(states, sequence, head.modes, sequence.options.pooling_skip), head, read);
    } else if (head.input == HeadInputKind::kTokens && is_shown(sequence, position)) {
      expected = naive_head(states[position], head, read);
    }
    check_row(name + ", row " + std::to_string(row), output.data() + row * width, expected);
  }
}

void agree_with_naive(const Setup& setup, const Model& model, const OutputOptions& options) {
  ThreadPool pool(2);
  const EncoderSpecification& specification = model.specification;
  const auto encoder = model.load(setup, pool);
  const ReadParameter read = parameters_of(*encoder);
  std::vector<HeadRequest> requests = make_head_requests(specification, 11);
  for (HeadRequest& request : requests) {
    request.want(specification, std::vector<bool>(specification.heads.size(), true), options);
  }
  run(*encoder, requests, pool);
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string name = "sequence " + std::to_string(i);
    const Rows states = states_of(*encoder, requests[i], pool);
    for (size_t head = 0; head < specification.heads.size(); ++head) {
      if (requests[i].rows_of(specification.heads[head]) == 0) continue;
      check_head(name + ", " + specification.heads[head].name, requests[i], specification.heads[head],
                 requests[i].outputs[head], states, specification, read);
    }
    Row pooled(requests[i].pooled.size(), 0.0);
    if (!states.empty()) {
      pooled = naive_pool(states, requests[i].request->sequence, options.pooling, options.pooling_skip);
    }
    check_row(name + ", pooled", requests[i].pooled.data(), options.normalize ? naive_normalize(pooled) : pooled);
  }
}

// --- same bits ---

// Each head alone, and every sequence by itself, on one thread; then all together on several, in another order.
void same_bits_in_any_company(const Setup& setup, const Model& model) {
  const EncoderSpecification& specification = model.specification;
  const size_t heads = specification.heads.size();
  const OutputOptions options{.pooling = kAllModes, .pooling_skip = 1, .normalize = true};
  ThreadPool one(1);
  const auto encoder = model.load(setup, one);
  std::vector<HeadRequest> alone = make_head_requests(specification, 12);
  std::vector<std::vector<std::vector<float>>> expected(alone.size());
  std::vector<std::vector<float>> pooled;
  for (size_t i = 0; i < alone.size(); ++i) {
    for (size_t head = 0; head < heads; ++head) {
      std::vector<bool> wanted(heads, false);
      wanted[head] = true;
      std::vector<HeadRequest> single;
      single.push_back(std::move(alone[i]));
      single[0].want(specification, wanted, options);
      run(*encoder, single, one);
      expected[i].push_back(single[0].outputs[head]);
      if (head == 0) pooled.push_back(single[0].pooled);
      alone[i] = std::move(single[0]);
    }
  }
  for (const size_t threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    std::vector<HeadRequest> together = make_head_requests(specification, 12);
    for (HeadRequest& request : together) request.want(specification, std::vector<bool>(heads, true), options);
    std::reverse(together.begin(), together.end());
    run(*encoder, together, pool);
    for (size_t i = 0; i < together.size(); ++i) {
      const size_t same = together.size() - 1 - i;
      const std::string name = "sequence " + std::to_string(same) + ", " + std::to_string(threads) + " threads: ";
      for (size_t head = 0; head < heads; ++head) {
        BN_CHECK(same_bits(together[i].outputs[head], expected[same][head]), name + specification.heads[head].name);
      }
      BN_CHECK(same_bits(together[i].pooled, pooled[same]), name + "pooled");
    }
  }
}

// Few rows leave the last layer, far apart; their neighbours' attention is left out.
void same_bits_of_positions_far_apart(Isa isa) {
  EncoderSpecification specification = make_specification(kOddSizes);
  specification.embeddings.max_position_embeddings = 700;
  specification.heads = {{"labels", HeadInputKind::kTokens, {}, {linear_step("classifier", 5)}}};
  const Model model(specification);
  ThreadPool pool(2);
  const auto encoder = model.load(isa, pool);
  for (const Mask mask : {Mask::kNone, Mask::kLeft, Mask::kInterior}) {
    Numbers all_numbers(2), some_numbers(2);
    std::vector<HeadRequest> all, some;
    for (const size_t length : {700, 5, 300}) {
      all.push_back({.request = std::make_unique<Request>(specification, length, mask, all_numbers),
                     .positions = {},
                     .outputs = {},
                     .pooled = {}});
      some.push_back({.request = std::make_unique<Request>(specification, length, mask, some_numbers),
                      .positions = {0, 1, 3},
                      .listed = true,
                      .outputs = {},
                      .pooled = {}});
      for (int32_t position = 57; position < static_cast<int32_t>(length); position += 1 + position % 101) {
        some.back().positions.push_back(position);
      }
      all.back().want(specification, {true}, {});
      some.back().want(specification, {true}, {});
      some.back().request->sequence.pooled = nullptr;
    }
    run(*encoder, all, pool);
    run(*encoder, some, pool);
    for (size_t i = 0; i < some.size(); ++i) {
      for (size_t row = 0; row < some[i].positions.size(); ++row) {
        const float* expected = all[i].outputs[0].data() + some[i].positions[row] * 5;
        BN_CHECK(std::equal(expected, expected + 5, some[i].outputs[0].data() + row * 5),
                 "sequence " + std::to_string(i) + ", position " + std::to_string(some[i].positions[row]));
      }
    }
  }
}

// --- bounds ---

// The table of words is wide, the rows are several groups; the memory beside the output is that of one group.
void takes_little_memory(Isa isa) {
  EncoderSpecification specification = make_specification({16, 1, 16, 8, 1});
  specification.embeddings.vocab_size = 20011;
  specification.heads = {{"tied", HeadInputKind::kTokens, {}, {words_step(true)}}};
  const Model model(specification);
  ThreadPool pool(2);
  const auto encoder = model.load(isa, pool);
  Numbers numbers(3);
  std::vector<HeadRequest> requests;
  for (size_t i = 0; i < 20; ++i) {
    requests.push_back({.request = std::make_unique<Request>(specification, 64, Mask::kNone, numbers),
                        .positions = {},
                        .outputs = {},
                        .pooled = {}});
    requests.back().want(specification, {true}, {});
  }
  std::vector<const Sequence*> block;
  for (const HeadRequest& request : requests) block.push_back(&request.request->sequence);
  PassControl control;
  Workspace workspace;
  encoder->run_block(block, pool, control, workspace);
  const size_t output_bytes = 20 * 64 * 20011 * sizeof(float);
  BN_CHECK(workspace.heads.size_in_bytes() < output_bytes / 100,
           "heads took " + std::to_string(workspace.heads.size_in_bytes()) + " bytes");
  const ReadParameter read = parameters_of(*encoder);
  for (const size_t i : {size_t{0}, size_t{8}, size_t{19}}) {
    const Rows states = states_of(*encoder, requests[i], pool);
    for (const size_t position : {0, 63}) {
      check_row("sequence " + std::to_string(i), requests[i].outputs[0].data() + position * 20011,
                naive_head(states[position], specification.heads[0], read));
    }
  }
}

void writes_nothing_behind_a_closed_gate() {
  const Model model(with_heads(make_specification(kOddSizes)));
  ThreadPool pool(2);
  const auto encoder = model.load(Isa::kScalar, pool);
  std::vector<HeadRequest> requests = make_head_requests(model.specification, 4);
  OutputGate gate;
  gate.close();
  for (HeadRequest& request : requests) {
    request.want(model.specification, std::vector<bool>(model.specification.heads.size(), true), {});
    request.request->sequence.gate = &gate;
  }
  run(*encoder, requests, pool);
  for (const HeadRequest& request : requests) {
    for (const std::vector<float>& output : request.outputs) {
      BN_CHECK(std::all_of(output.begin(), output.end(), [](float value) { return std::isnan(value); }),
               "a head wrote to memory that was taken back");
    }
  }
}

void refuses_wrong_heads() {
  const Model model(with_heads(make_specification(kOddSizes)));
  const int32_t ids[4] = {1, 2, 3, 4};
  float output[1];
  Sequence sequence;
  sequence.length = 4;
  sequence.input_ids = ids;
  const auto refuse = [&](const std::string& part, const std::vector<int32_t>& positions) {
    sequence.head_positions = positions.data();
    sequence.head_position_count = positions.size();
    check_throws(ErrorCode::kShape, part, [&] { check_batch(model.specification, {sequence}); });
  };
  refuse("4 among its head positions", {0, 4});
  refuse("1 among its head positions behind 1", {1, 1});
  refuse("-1 among its head positions", {-1});
  sequence.head_positions = nullptr;
  sequence.heads.assign(2, output);
  check_throws(ErrorCode::kShape, "2 heads: expected 9", [&] { check_batch(model.specification, {sequence}); });
  sequence.heads.clear();
  sequence.pooled = output;
  sequence.options.pooling.clear();
  check_throws(ErrorCode::kShape, "by no mode", [&] { check_batch(model.specification, {sequence}); });
}

void add_tests() {
  for (const Isa isa : available_isas()) {
    const std::string suffix = std::string(", ") + isa_name(isa);
    const auto add_agreement = [&](const std::string& name, EncoderSpecification specification, OutputOptions options,
                                   MatrixType type = MatrixType::kF32) {
      add("cpu/heads: agrees with float64, " + name + suffix, [=, model = Model(with_heads(specification))] {
        agree_with_naive({*kernel_table(isa), type}, model, options);
      });
    };
    EncoderSpecification local = make_specification(kOddSizes);
    for (LayerSpecification& layer : local.layers) layer.attention.mask = {AttentionMaskKind::kWindow, 9};
    add_agreement("masked positions computed", make_specification(kOddSizes), {});
    add_agreement("masked positions skipped, every pooling", make_specification(kOddSizes),
                  {.compute_masked_positions = false, .pooling = kAllModes});
    add_agreement("some positions left out of poolings", make_specification(kOddSizes),
                  {.pooling = kAllModes, .pooling_skip = 3, .normalize = true});
    add_agreement("windows", local, {.pooling = {Pooling::kLastToken, Pooling::kMax}, .pooling_skip = 1});
    add_agreement("no layers", make_specification({36, 3, 12, 100, 0}), {});
    add_agreement("pieces of the depth", make_specification({801, 1, 9, 5, 1}), {});
    add_agreement("words in f16", make_specification(kOddSizes), {}, MatrixType::kF16);
    add_agreement("words in bf16", make_specification(kOddSizes), {}, MatrixType::kInt8);
    add("cpu/heads: same bits in any company" + suffix,
        [isa, model = Model(with_heads(make_specification(kOddSizes)))] { same_bits_in_any_company(isa, model); });
    add("cpu/heads: same bits in any company, words in bf16" + suffix,
        [isa, model = Model(with_heads(make_specification(kOddSizes)))] {
          same_bits_in_any_company({*kernel_table(isa), MatrixType::kBf16}, model);
        });
    add("cpu/heads: same bits of positions far apart" + suffix, [isa] { same_bits_of_positions_far_apart(isa); });
    add("cpu/heads: takes little memory beside its output" + suffix, [isa] { takes_little_memory(isa); });
  }
  add("cpu/heads: same bits in any company, f32 in three parts, amx (emulated)",
      [model = Model(with_heads(make_specification(kOddSizes)))] {
        same_bits_in_any_company({emulated_amx_kernels(), MatrixType::kBf16x3}, model);
      });
  add("cpu/heads: writes nothing behind a closed gate", writes_nothing_behind_a_closed_gate);
  add("cpu/heads: refuses wrong heads", refuses_wrong_heads);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
