#include "cpu/encoder.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "check_throws.h"
#include "common/errors.h"
#include "cpu/encoder_checks.h"
#include "cpu/requests.h"
#include "harness.h"
#include "kernels/emulated_tiles.h"
#include "kernels/random.h"
#include "temporary_folder.h"

namespace bert_native::test {

namespace {

// --- agreement with the reference ---

void add_reference_tests(Isa isa) {
  const std::string suffix = std::string(", ") + isa_name(isa);
  const auto add_model = [&](const std::string& name, EncoderSpecification specification, OutputOptions options = {}) {
    add("cpu/encoder: agrees with float64, " + name + suffix,
        [isa, model = Model(std::move(specification)), options] { agree_with_reference(isa, model, options); });
  };
  add_model("odd sizes", make_specification(kOddSizes));
  add_model("gelu_tanh", make_specification(kOddSizes, Activation::kGeluTanh));
  add_model("quick_gelu", make_specification(kOddSizes, Activation::kQuickGelu));
  add_model("relu", make_specification(kOddSizes, Activation::kRelu));
  add_model("silu", make_specification(kOddSizes, Activation::kSilu));
  add_model("tanh", make_specification(kOddSizes, Activation::kTanh));
  add_model("relative_key", make_specification(kOddSizes, Activation::kGeluErf, AttentionPositionKind::kRelativeKey));
  EncoderSpecification relative =
      make_specification({48, 2, 24, 64, 2}, Activation::kGeluErf, AttentionPositionKind::kRelativeKeyQuery);
  relative.embeddings.position = PositionEmbedding::kNone;
  add_model("relative_key_query", relative);
  EncoderSpecification local = make_specification(kOddSizes);
  add_layer(local, local.layers[0]);
  local.layers[0].attention.mask = {AttentionMaskKind::kWindow, 5};
  local.layers[2].attention.mask = {AttentionMaskKind::kWindow, 12};
  add_model("windows and full layers", local);
  add_model("windows, masked positions skipped, cls pooling", local,
            {.compute_masked_positions = false, .pooling = {Pooling::kCls}});
  EncoderSpecification causal =
      make_specification(kOddSizes, Activation::kGeluErf, AttentionPositionKind::kRelativeKey);
  for (LayerSpecification& layer : causal.layers) layer.attention.mask = {AttentionMaskKind::kCausal, 0};
  add_model("causal, relative_key", causal);
  add_model("causal, masked positions skipped, cls pooling", causal,
            {.compute_masked_positions = false, .pooling = {Pooling::kCls}});
  add_model("attention narrower than hidden_size", make_specification({40, 1, 20, 33, 2}));
  add_model("attention wider than hidden_size", make_specification({8, 2, 70, 16, 1}));
  add_model("size 1", make_specification({1, 1, 1, 1, 1}));
  add_model("whole tiles, several chunks of the MLP", make_specification({64, 2, 32, 2000, 1}));
  add_model("no layers", make_specification({36, 3, 12, 100, 0}));
  EncoderSpecification mixed = make_specification(kOddSizes);
  add_layer(mixed, make_layer(2, 30, 7, Activation::kRelu, 1e-3f, AttentionPositionKind::kRelativeKey));
  mixed.pooler.reset();
  add_model("layers that differ, no pooler", mixed);
  // The wider layer has the shorter pieces: 1,201 is cut into two of 640, 768 is one.
  EncoderSpecification pieces = make_specification({24, 2, 12, 1201, 1});
  add_layer(pieces, make_layer(2, 12, 768, Activation::kRelu, 1e-3f));
  add_model("layers whose inner sizes are cut differently", pieces);
  add_model("masked positions skipped", make_specification(kOddSizes), {.compute_masked_positions = false});
  add_model("cls pooling", make_specification(kOddSizes),
            {.compute_masked_positions = false, .pooling = {Pooling::kCls}, .normalize = true});
  add_model("max pooling", make_specification(kOddSizes), {.pooling = {Pooling::kMax}, .normalize = true});
  add_model("mean pooling, normalised", make_specification(kOddSizes), {.normalize = true});
}

// --- same bits whatever the batch ---

// More rows than one block holds, so that sequences of one call run in different blocks.
void same_bits_across_blocks(Isa isa) {
  const Model model(make_specification(kOddSizes));
  Numbers numbers(21);
  std::vector<Request> requests;
  for (size_t i = 0; i < 100; ++i) {
    requests.emplace_back(model.specification, 20 + numbers.below(45), i % 4 == 0 ? Mask::kLeft : Mask::kRight,
                          numbers);
  }
  ThreadPool pool(2);
  const auto encoder = model.load(isa, pool);
  const OutputOptions options;
  run(*encoder, requests, options, pool);
  for (size_t i = 0; i < requests.size(); i += 7) {
    const std::vector<float> together = requests[i].outputs();
    std::vector<Request> alone;
    alone.push_back(std::move(requests[i]));
    run(*encoder, alone, options, pool);
    BN_CHECK(same_bits(together, alone[0].outputs()), "sequence " + std::to_string(i) + " differs from itself alone");
  }
}

void runs_on_several_threads_at_once(Isa isa) {
  const Model model(make_specification(kOddSizes));
  ThreadPool loading(1);
  const auto encoder = model.load(isa, loading);
  std::vector<std::vector<Request>> batches;
  for (int i = 0; i < 3; ++i) batches.push_back(make_requests(model.specification, 6));
  std::vector<std::thread> threads;
  for (auto& batch : batches) {
    threads.emplace_back([&] {
      ThreadPool pool(2);
      for (int round = 0; round < 3; ++round) run(*encoder, batch, {}, pool);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < batches[0].size(); ++i) {
    BN_CHECK(same_bits(batches[0][i].outputs(), batches[1][i].outputs()) &&
                 same_bits(batches[0][i].outputs(), batches[2][i].outputs()),
             "sequence " + std::to_string(i) + " differs between calls that ran at once");
  }
}

// --- parameters ---

void refuses_wrong_parameters() {
  const Model model(make_specification(kOddSizes));
  ThreadPool pool(1);
  const auto load = [&](const ParameterSources& sources) {
    CpuEncoder::load(model.specification, sources, MatrixType::kF32, *kernel_table(Isa::kScalar), pool);
  };
  ParameterSources sources = model.parameters;
  sources.erase("layers.1.mlp.up.bias");
  check_throws(ErrorCode::kWeightMissing, "'layers.1.mlp.up.bias' of shape [100]", [&] { load(sources); });
  sources["layers.1.mlp.up.bias"] = {{99}, ConstantInit{}};
  check_throws(ErrorCode::kWeightShape, "[99]: expected [100]", [&] { load(sources); });
  sources["layers.1.mlp.up.bias"] = {{100}, ConstantInit{}};
  sources["layers.2.mlp.up.bias"] = {{100}, ConstantInit{}};
  check_throws(ErrorCode::kWeightShape, "'layers.2.mlp.up.bias'", [&] { load(sources); });
  const auto encoder = model.load(Isa::kScalar, pool);
  float value;
  check_throws(ErrorCode::kWeightMissing, "'nothing'", [&] { encoder->read_parameter("nothing", &value); });
}

void refuses_a_changed_file() {
  const Model model(make_specification(kOddSizes));
  ThreadPool pool(1);
  TemporaryFolder folder;
  ParameterSources sources = model.parameters;
  const std::string path = folder.write("weights", std::string(100 * 4, '\0'));
  const FileIdentity identity = File(path).identity();
  std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(5));
  sources["layers.1.mlp.up.bias"] = {{100}, FileSpan{path, identity, 0, Dtype::kF32, {1}}};
  check_throws(ErrorCode::kIo, "was changed or replaced after its header was read", [&] {
    CpuEncoder::load(model.specification, sources, MatrixType::kF32, *kernel_table(Isa::kScalar), pool);
  });
}

void refuses_impossible_specifications() {
  const EncoderSpecification good = make_specification(kOddSizes);
  check_specification(good);
  const auto refuse = [&](const std::string& part, const auto& change) {
    EncoderSpecification bad = good;
    change(bad);
    check_throws(ErrorCode::kConfig, part, [&] { check_specification(bad); });
  };
  refuse("hidden_size is 0", [](auto& s) { s.hidden_size = 0; });
  refuse("hidden_size is 1000000", [](auto& s) { s.hidden_size = 1000000; });
  refuse("vocab_size is 0", [](auto& s) { s.embeddings.vocab_size = 0; });
  refuse("vocab_size is 4294967296", [](auto& s) { s.embeddings.vocab_size = size_t{1} << 32; });
  refuse("max_position_embeddings is 0", [](auto& s) { s.embeddings.max_position_embeddings = 0; });
  refuse("layers.1.attention.num_attention_heads is 0", [](auto& s) { s.layers[1].attention.num_attention_heads = 0; });
  refuse("layers.0.attention.head_size is 0", [](auto& s) { s.layers[0].attention.head_size = 0; });
  refuse("num_attention_heads times head_size",
         [](auto& s) { s.layers[0].attention.head_size = s.layers[0].attention.num_attention_heads = 100000; });
  refuse("layers.0.mlp.intermediate_size is 0", [](auto& s) { s.layers[0].mlp.intermediate_size = 0; });
  refuse("layers.1.attention.mask.size is 0", [](auto& s) {
    s.layers[1].attention.mask = {AttentionMaskKind::kWindow, 0};
  });
  refuse("layers.1.attention.mask.size is 1099511627776", [](auto& s) {
    s.layers[1].attention.mask = {AttentionMaskKind::kWindow, size_t{1} << 40};
  });
  refuse("layers.0.mlp_norm.eps", [](auto& s) { s.layers[0].mlp_norm.eps = NAN; });
  refuse("embeddings.norm.eps", [](auto& s) { s.embeddings.norm.eps = -1; });
  refuse("5000 layers", [](auto& s) { s.layers.resize(5000, s.layers[0]); });
  const auto head = [](const char* name, const std::vector<std::pair<const char*, size_t>>& steps) {
    HeadSpecification made;
    made.name = name;
    for (const auto& [step_name, outputs] : steps) {
      HeadStep& step = made.steps.emplace_back();
      step.name = step_name;
      step.outputs = outputs;
    }
    return made;
  };
  refuse("heads.a.out.outputs is 2147483647: expected 1 to 131072", [&](auto& s) {
    s.heads = {head("a", {{"dense", 2147483647}, {"out", 2147483647}})};
  });
  refuse("there are two of heads.a", [&](auto& s) { s.heads = {head("a", {{"b", 1}}), head("a", {{"c", 1}})}; });
  refuse("there are two of heads.a.b.bias", [&](auto& s) { s.heads = {head("a", {{"b", 36}, {"b", 36}})}; });
  refuse("there are two of heads.a.b.c.bias", [&](auto& s) {
    s.heads = {head("a", {{"b.c", 1}}), head("a.b", {{"c", 1}})};
  });

  // The largest that a configuration may ask for.
  EncoderSpecification largest = good;
  largest.hidden_size = largest.embeddings.embedding_size = 1 << 17;
  largest.embeddings.vocab_size = largest.embeddings.max_position_embeddings = 1 << 24;
  largest.embeddings.type_vocab_size = 1 << 16;
  largest.layers.clear();
  for (size_t i = 0; i < 1 << 12; ++i) add_layer(largest, make_layer(1 << 12, 1 << 5, 1 << 19, Activation::kRelu, 0));
  check_specification(largest);
}

// --- requests that cannot be run ---

void refuses_wrong_requests() {
  const Model model(make_specification(kOddSizes));
  const Model relative(make_specification(kOddSizes, Activation::kRelu, AttentionPositionKind::kRelativeKey));
  ThreadPool pool(1);
  const auto refuse = [&](const Model& of, ErrorCode code, const std::string& part, size_t length, const auto& change) {
    const auto encoder = of.load(Isa::kScalar, pool);
    Numbers numbers(1);
    std::vector<Request> requests;
    requests.emplace_back(of.specification, 2, Mask::kNone, numbers);
    requests.emplace_back(of.specification, length, Mask::kNone, numbers, true);
    change(requests[1]);
    check_throws(code, part, [&] { run(*encoder, requests, {}, pool); });
    BN_CHECK(std::isnan(requests[0].last_hidden_state[0]), "something was computed before the check");
  };
  refuse(model, ErrorCode::kTokenId, "token id 131 at sequence 1, position 3: expected 0 to 130", 5,
         [](Request& request) { request.input_ids[3] = 131; });
  refuse(model, ErrorCode::kTokenId, "token id -1 at sequence 1, position 0", 5,
         [](Request& request) { request.input_ids[0] = -1; });
  refuse(model, ErrorCode::kTokenId, "token type id 3 at sequence 1, position 4: expected 0 to 2", 5,
         [](Request& request) { request.token_type_ids[4] = 3; });
  refuse(model, ErrorCode::kSequenceTooLong, "position id 64 at sequence 1, position 2: expected 0 to 63", 5,
         [](Request& request) { request.position_ids[2] = 64; });
  refuse(relative, ErrorCode::kSequenceTooLong, "position id -1 at sequence 1, position 0: expected 0 to 63", 5,
         [](Request& request) { request.position_ids[0] = -1; });
  refuse(model, ErrorCode::kSequenceTooLong, "sequence 1 has 65 positions: expected at most 64", 65,
         [](Request& request) { request.sequence.position_ids = nullptr; });
  refuse(model, ErrorCode::kSequenceTooLong, "sequence 1 has 65 positions: expected at most 64", 65, [](Request&) {});
  refuse(relative, ErrorCode::kSequenceTooLong, "sequence 1 has 65 positions", 65, [](Request&) {});
  refuse(model, ErrorCode::kShape, "neither input_ids nor inputs_embeds", 5,
         [](Request& request) { request.sequence.input_ids = nullptr; });

  const auto encoder = model.load(Isa::kScalar, pool);
  PassControl control;
  const int32_t id = 5;
  float output[36];
  Sequence sequence;
  sequence.length = 1;
  sequence.input_ids = &id;
  sequence.hidden_states.assign(2, output);
  check_throws(ErrorCode::kShape, "2 hidden_states: expected 3", [&] { run(*encoder, {sequence}, pool, control); });
  sequence.hidden_states.clear();
  sequence.attentions.assign(3, output);
  check_throws(ErrorCode::kShape, "3 attentions: expected 2", [&] { run(*encoder, {sequence}, pool, control); });
  EncoderSpecification without = model.specification;
  without.pooler.reset();
  const auto without_pooler = Model(without).load(Isa::kScalar, pool);
  sequence.attentions.clear();
  sequence.pooler_output = output;
  check_throws(ErrorCode::kShape, "no pooler", [&] { run(*without_pooler, {sequence}, pool, control); });
}

// Abandoned once it has been asked that often whether it is.
struct Abandonable : PassControl {
  size_t questions;
  mutable std::atomic<size_t> asked{0};
  explicit Abandonable(size_t until) : questions(until) {}
  bool is_abandoned() const override { return asked++ >= questions; }
};

void stops_when_abandoned() {
  const Model model(make_specification(kOddSizes));
  ThreadPool pool(2);
  const auto encoder = model.load(Isa::kScalar, pool);
  Numbers numbers(8);
  std::vector<Request> requests;
  std::vector<Sequence> sequences;
  for (int i = 0; i < 100; ++i) requests.emplace_back(model.specification, 64, Mask::kNone, numbers);
  const auto forget_outputs = [&] {
    sequences.clear();
    for (Request& request : requests) {
      request.want(model.specification, {});
      sequences.push_back(request.sequence);
    }
  };
  forget_outputs();
  check_throws(ErrorCode::kAborted, "aborted", [&] {
    Abandonable control(0);
    run(*encoder, sequences, pool, control);
  });
  BN_CHECK(std::isnan(requests[0].hidden_states[0][0]), "a pass that was abandoned at its start computed something");

  // Abandoned later and later, until one comes to its end before.
  bool in_the_middle = false, at_its_end = false;
  for (size_t questions = 1; !at_its_end; questions *= 2) {
    forget_outputs();
    Abandonable control(questions);
    try {
      run(*encoder, sequences, pool, control);
      at_its_end = true;
    } catch (const Error& error) {
      BN_CHECK(error.code() == ErrorCode::kAborted, error.what());
      BN_CHECK(control.asked > questions, "a pass was aborted that nobody had abandoned");
      in_the_middle |= !std::isnan(requests[0].hidden_states[0][0]) && std::isnan(requests.back().last_hidden_state[0]);
    }
  }
  BN_CHECK(in_the_middle, "no pass was stopped in the middle");
  BN_CHECK(!std::isnan(requests.back().last_hidden_state[0]), "the encoder does not work after an abandoned pass");
}

// The inner layer of the MLP is three pieces of a depth: several products, one after another, where rows go in groups.
constexpr Sizes kSeveralChunks{40, 2, 20, 1700, 1};

EncoderSpecification with_distances() {
  return make_specification(kOddSizes, Activation::kRelu, AttentionPositionKind::kRelativeKey);
}

// Matrices of f32 in parts are as good as f32.
void add_tests_in_parts(const Setup& setup, const std::string& name) {
  const std::string suffix = ", f32 in three parts, " + name;
  for (const Sizes& sizes : {kOddSizes, Sizes{64, 2, 32, 2000, 1}}) {
    const Model model(make_specification(sizes));
    const std::string size = ", inner size " + std::to_string(sizes.inner);
    add("cpu/encoder: agrees with float64" + size + suffix, [=] { agree_with_reference(setup, model); });
  }
  add("cpu/encoder: same bits in any company" + suffix,
      [=, model = Model(make_specification({20, 2, 10, 50, 1}))] { same_bits_in_any_company(setup, model); });
  add("cpu/encoder: gives parameters back exactly" + suffix, [=] { gives_parameters_back(setup, with_distances()); });
}

void add_tests() {
  add_tests_in_parts({emulated_amx_kernels(), MatrixType::kBf16x3}, "amx (emulated)");
  for (const auto& [type, name] : {std::pair(MatrixType::kBf16, "bf16"), std::pair(MatrixType::kInt8, "int8")}) {
    add(std::string("cpu/encoder: same bits in any company, ") + name + ", amx (emulated)",
        [type = type, model = Model(make_specification({20, 2, 10, 50, 1}))] {
          same_bits_in_any_company({emulated_amx_kernels(), type}, model);
        });
    add(std::string("cpu/encoder: same bits in any company, several chunks of the MLP, ") + name + ", amx (emulated)",
        [type = type, model = Model(make_specification(kSeveralChunks))] {
          same_bits_in_any_company({emulated_amx_kernels(), type}, model);
        });
  }
  for (const Isa isa : available_isas()) {
    add_reference_tests(isa);
    const std::string suffix = std::string(", ") + isa_name(isa);
    add("cpu/encoder: same bits in any company" + suffix,
        [isa] { same_bits_in_any_company(isa, Model(make_specification(kOddSizes))); });
    add("cpu/encoder: same bits in any company, relative positions" + suffix, [isa] {
      const Model model(
          make_specification({48, 2, 24, 64, 2}, Activation::kSilu, AttentionPositionKind::kRelativeKeyQuery));
      same_bits_in_any_company(isa, model);
    });
    add("cpu/encoder: same bits in any company, windows" + suffix, [isa] {
      EncoderSpecification specification = make_specification(kOddSizes);
      specification.layers[1].attention.mask = {AttentionMaskKind::kWindow, 9};
      same_bits_in_any_company(isa, Model(specification));
    });
    for (const auto& [type, name] : {std::pair(MatrixType::kF32, "f32"), std::pair(MatrixType::kF16, "f16"),
                                     std::pair(MatrixType::kBf16, "bf16"), std::pair(MatrixType::kInt8, "int8")}) {
      add(std::string("cpu/encoder: same bits in any company, several chunks of the MLP, ") + name + suffix,
          [isa, type = type] {
            same_bits_in_any_company({*kernel_table(isa), type}, Model(make_specification(kSeveralChunks)));
          });
    }
    add("cpu/encoder: same bits across blocks" + suffix, [isa] { same_bits_across_blocks(isa); });
    add("cpu/encoder: same bits whatever is wanted" + suffix,
        [isa] { same_bits_whatever_is_wanted(isa, Model(make_specification(kOddSizes))); });
    add("cpu/encoder: same bits whatever is wanted, windows" + suffix, [isa] {
      EncoderSpecification specification = make_specification(kOddSizes);
      for (LayerSpecification& layer : specification.layers) layer.attention.mask = {AttentionMaskKind::kWindow, 9};
      same_bits_whatever_is_wanted(isa, Model(specification));
    });
    add("cpu/encoder: runs on several threads at once" + suffix, [isa] { runs_on_several_threads_at_once(isa); });
    add("cpu/encoder: gives parameters back exactly" + suffix, [isa] { gives_parameters_back(isa, with_distances()); });
    const KernelTable& kernels = *kernel_table(isa);
    if (kernels.resolve(MatrixType::kBf16x3) == MatrixType::kBf16x3) {
      add_tests_in_parts({kernels, MatrixType::kBf16x3}, isa_name(isa));
    }
  }
  add("cpu/encoder: refuses wrong parameters", refuses_wrong_parameters);
  add("cpu/encoder: refuses a file that changed", refuses_a_changed_file);
  add("encoder/specification: refuses impossible sizes", refuses_impossible_specifications);
  add("cpu/encoder: refuses wrong requests", refuses_wrong_requests);
  add("cpu/encoder: stops when abandoned", stops_when_abandoned);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
