#include "cpu/attention.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/cpu_features.h"
#include "common/thread_pool.h"
#include "cpu/block_pass.h"
#include "cpu/encoder.h"
#include "cpu/reference_encoder.h"
#include "cpu/requests.h"
#include "encoder/plan.h"
#include "harness.h"
#include "kernels/emulated_tiles.h"
#include "kernels/random.h"

// Attention over sequences of more keys than a block, and masks by distance. What fits a block is tested in
// encoder_test.cc too.

namespace bert_native::test {

namespace {

constexpr size_t kBlock = kAttentionKeyBlock;

const std::map<std::string, AttentionMask>& masks() {
  static const std::map<std::string, AttentionMask> all = {
      {"full", {}},
      {"window of 1", {AttentionMaskKind::kWindow, 1}},
      {"window of 128", {AttentionMaskKind::kWindow, 128}},
      {"window of 1100", {AttentionMaskKind::kWindow, 1100}},
      {"causal", {AttentionMaskKind::kCausal, 0}},
  };
  return all;
}

const std::map<std::string, AttentionPositionKind>& positions() {
  static const std::map<std::string, AttentionPositionKind> all = {
      {"no positions", AttentionPositionKind::kNone},
      {"relative_key", AttentionPositionKind::kRelativeKey},
      {"relative_key_query", AttentionPositionKind::kRelativeKeyQuery},
  };
  return all;
}

EncoderSpecification long_specification(AttentionPositionKind position, AttentionMask mask) {
  EncoderSpecification specification = make_specification({8, 2, 5, 8, 1}, Activation::kRelu, position);
  specification.embeddings.max_position_embeddings = 3 * kBlock + 5;
  for (LayerSpecification& layer : specification.layers) layer.attention.mask = mask;
  return specification;
}

// Lengths and numbers of keys around the edges of blocks.
std::vector<Request> long_requests(const EncoderSpecification& specification) {
  Numbers numbers(31);
  std::vector<Request> requests;
  for (const size_t length : {size_t{1}, kBlock - 1, kBlock, kBlock + 1, 3 * kBlock + 5}) {
    requests.emplace_back(specification, length, Mask::kNone, numbers);
  }
  for (const Mask mask : {Mask::kLeft, Mask::kRight, Mask::kInterior, Mask::kOne}) {
    requests.emplace_back(specification, 2 * kBlock + 50, mask, numbers);
  }
  // As many keys as a block has, among gaps.
  requests.emplace_back(specification, 3 * kBlock / 2, Mask::kInterior, numbers);
  requests.emplace_back(specification, kBlock + 90, Mask::kNothing, numbers);
  return requests;
}

void run(const CpuEncoder& encoder, std::vector<Request>& requests, ThreadPool& pool,
         const Request::Wanted& wanted = {}) {
  std::vector<const Sequence*> sequences;
  for (Request& request : requests) {
    request.want(encoder.specification(), wanted);
    sequences.push_back(&request.sequence);
  }
  PassControl control;
  Workspace workspace;
  encoder.run_block(sequences, pool, control, workspace);
}

// |a - b| ≤ absolute + 2e-5 |b|
void check_close(const std::string& what, const std::vector<float>& actual, const Values& expected, double absolute) {
  BN_CHECK(actual.size() == expected.size(), what + " has another size");
  for (size_t i = 0; i < actual.size(); ++i) {
    BN_CHECK(std::fabs(actual[i] - expected[i]) <= absolute + 2e-5 * std::fabs(expected[i]),
             what + "[" + std::to_string(i) + "] is " + std::to_string(actual[i]) + ", expected " +
                 std::to_string(expected[i]));
  }
}

// A model with its requests and what the reference makes of them, which takes longer than all the rest.
struct Expected {
  Model model;
  std::vector<ReferenceOutput> outputs;

  explicit Expected(const EncoderSpecification& specification) : model(specification) {
    std::vector<Request> requests = long_requests(specification);
    for (const Request& request : requests) {
      outputs.push_back(reference_encode(specification, model.parameters, request.sequence));
    }
  }
};

void agrees_with_reference(Isa isa, const Expected& expected) {
  ThreadPool pool(2);
  const auto encoder = expected.model.load(isa, pool);
  std::vector<Request> requests = long_requests(expected.model.specification);
  run(*encoder, requests, pool);
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string name = "sequence " + std::to_string(i) + ", ";
    check_close(name + "last_hidden_state", requests[i].last_hidden_state, expected.outputs[i].hidden_states.back(),
                2e-5);
    check_close(name + "pooler_output", requests[i].pooler_output, expected.outputs[i].pooler_output, 2e-5);
    // Small numbers, all of them: the bar is relative here.
    check_close(name + "attentions", requests[i].attentions[0], expected.outputs[i].attentions[0], 1e-9);
  }
}

// --- same bits ---

void same_bits_in_any_company(Isa isa, const Model& model) {
  ThreadPool one(1), two(2), three(3);
  const auto encoder = model.load(isa, one);
  std::vector<std::vector<float>> alone;
  for (Request& request : long_requests(model.specification)) {
    std::vector<Request> single;
    single.push_back(std::move(request));
    run(*encoder, single, one);
    alone.push_back(single[0].outputs());
  }
  for (ThreadPool* pool : {&one, &two, &three}) {
    std::vector<Request> together = long_requests(model.specification);
    run(*encoder, together, *pool);
    for (size_t i = 0; i < together.size(); ++i) {
      BN_CHECK(same_bits(together[i].outputs(), alone[i]),
               "sequence " + std::to_string(i) + " differs, " + std::to_string(pool->thread_count()) + " threads");
    }
  }
}

// Position 0 alone is computed from the last layer's queries; so are the others without probabilities.
void same_bits_whatever_is_wanted(Isa isa, const Model& model) {
  ThreadPool pool(2);
  const auto encoder = model.load(isa, pool);
  std::vector<Request> all = long_requests(model.specification);
  run(*encoder, all, pool);
  std::vector<Request> some = long_requests(model.specification);
  run(*encoder, some, pool, {true, false, false, false, false});
  for (size_t i = 0; i < all.size(); ++i) {
    BN_CHECK(same_bits(some[i].last_hidden_state, all[i].last_hidden_state),
             "last_hidden_state of sequence " + std::to_string(i));
  }
  for (Request& request : some) request.sequence.options.compute_masked_positions = false;
  run(*encoder, some, pool, {false, true, false, false, false});
  for (size_t i = 0; i < all.size(); ++i) {
    BN_CHECK(same_bits(some[i].pooler_output, all[i].pooler_output), "pooler_output of sequence " + std::to_string(i));
  }
}

// --- attention alone ---

// Projections of one sequence of unmasked positions, and the layer that attends over them.
struct Attention {
  static constexpr size_t kHeads = 2;

  Sequence sequence;
  float output = 0;
  PlannedBlock block;
  AttentionLayer layer;
  size_t stride;
  std::vector<float> projections;
  AttentionScratch scratch;

  Attention(size_t length, size_t head_size, AttentionMask mask)
      : stride(3 * kHeads * head_size + 7), projections(length * stride) {
    sequence.length = length;
    sequence.last_hidden_state = &output;
    block = plan_block({}, {&sequence});
    layer.heads = kHeads;
    layer.head_size = head_size;
    layer.mask = mask;
    normal_values(projections.data(), projections.size(), 11, 0, 1);
  }
  Attention(const Attention&) = delete;

  // The contexts, after running the tasks.
  std::vector<float> run(const std::vector<AttentionTask>& tasks, const KernelTable& kernels,
                         MatrixType type = MatrixType::kF32) {
    layer.gemm = &kernels.gemm_of(type);
    std::vector<float> in_place = projections;
    for (const AttentionTask& task : tasks) {
      attend(layer, block, task, in_place.data(), stride, scratch, kernels);
    }
    return in_place;
  }
};

void same_bits_however_queries_are_cut(Isa isa) {
  const KernelTable& kernels = *kernel_table(isa);
  for (const auto& [name, mask] : masks()) {
    for (const size_t length : {size_t{70}, kBlock + 1, 2 * kBlock + 77}) {
      Attention attention(length, 12, mask);
      const std::vector<float> expected = attention.run({{0, 0, 0, length}, {0, 1, 0, length}}, kernels);
      Numbers numbers(5);
      for (const size_t longest : {size_t{1}, size_t{29}, size_t{300}}) {
        std::vector<AttentionTask> tasks;
        for (size_t head = 0; head < Attention::kHeads; ++head) {
          for (size_t begin = 0, end; begin < length; begin = end) {
            end = std::min(length, begin + 1 + numbers.below(longest));
            tasks.push_back({0, head, begin, end});
          }
        }
        BN_CHECK(same_bits(attention.run(tasks, kernels), expected),
                 name + ", " + std::to_string(length) + " keys, tasks of up to " + std::to_string(longest));
      }
      for (const size_t threads : {size_t{1}, size_t{3}, size_t{64}}) {
        const auto tasks = attention_tasks(attention.block, Attention::kHeads, threads);
        BN_CHECK(same_bits(attention.run(tasks, kernels), expected),
                 name + ", " + std::to_string(threads) + " threads");
      }
    }
  }
}

// Operands rounded to bf16: within their rounding of f32, and the same bits however the queries are cut.
void rounds_to_bf16(const KernelTable& kernels) {
  if (!kernels.gemm_of(MatrixType::kBf16).rounds_both) return;
  for (const size_t head_size : {size_t{12}, size_t{64}, size_t{80}}) {
    for (const size_t length : {size_t{1}, size_t{31}, size_t{70}, kBlock, kBlock + 1, 2 * kBlock + 77}) {
      Attention attention(length, head_size, {});
      const std::vector<AttentionTask> whole{{0, 0, 0, length}, {0, 1, 0, length}};
      const std::vector<float> exact = attention.run(whole, kernels);
      const std::vector<float> rounded = attention.run(whole, kernels, MatrixType::kBf16);
      double squares = 0, differences = 0;
      for (size_t row = 0; row < length; ++row) {
        for (size_t i = row * attention.stride; i < row * attention.stride + 2 * head_size; ++i) {
          squares += static_cast<double>(exact[i]) * static_cast<double>(exact[i]);
          differences += std::pow(static_cast<double>(rounded[i]) - static_cast<double>(exact[i]), 2);
        }
      }
      const double error = std::sqrt(differences / squares);
      BN_CHECK(error > 0 && error < 0.01, std::to_string(length) + " keys of " + std::to_string(head_size) +
                                              ": relative error " + std::to_string(error));
      std::vector<AttentionTask> cut;
      for (size_t head = 0; head < Attention::kHeads; ++head) {
        for (size_t begin = 0; begin < length; begin += 29) {
          cut.push_back({0, head, begin, std::min(length, begin + 29)});
        }
      }
      BN_CHECK(same_bits(attention.run(cut, kernels, MatrixType::kBf16), rounded),
               std::to_string(length) + " keys, cut into tasks");
    }
  }
}

void tasks_cover_each_query_once() {
  for (const size_t length : {size_t{1}, size_t{100}, size_t{5000}}) {
    const Attention attention(length, 4, {});
    for (const size_t threads : {size_t{1}, size_t{2}, size_t{100}}) {
      std::vector<size_t> next(Attention::kHeads, 0);
      const auto tasks = attention_tasks(attention.block, Attention::kHeads, threads);
      for (const AttentionTask& task : tasks) {
        BN_CHECK(task.query_begin == next[task.head] && task.query_end > task.query_begin, "a gap, or an empty task");
        next[task.head] = task.query_end;
      }
      for (const size_t end : next) BN_CHECK(end == length, "queries are left out");
      BN_CHECK(length < 5000 || tasks.size() >= threads, std::to_string(threads) + " threads are not kept busy");
    }
  }
}

void memory_is_bounded(Isa isa) {
  const KernelTable& kernels = *kernel_table(isa);
  constexpr size_t kLength = 8192, kHeadSize = 64, kRest = 256 << 10;
  Attention full(kLength, kHeadSize, {});
  full.run({{0, 0, 0, 100}}, kernels);
  const size_t packed = 2 * kLength * kHeadSize * sizeof(float);
  BN_CHECK(full.scratch.size_in_bytes() <= packed + kRest,
           "8,192 keys take " + std::to_string(full.scratch.size_in_bytes()) + " bytes");
  Attention window(kLength, kHeadSize, {AttentionMaskKind::kWindow, 128});
  window.run(attention_tasks(window.block, Attention::kHeads, 1), kernels);
  BN_CHECK(window.scratch.size_in_bytes() <= packed / 4 + kRest,
           "a window takes " + std::to_string(window.scratch.size_in_bytes()) + " bytes");
}

// --- work ---

const KernelTable* counted_kernels = nullptr;
size_t counted_products = 0;

void count_products(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t k, bool accumulate,
                    Ahead ahead) {
  const GemmKernels& gemm = counted_kernels->gemm_of(MatrixType::kF32);
  counted_products += rows * k * gemm.cols;
  gemm.tile(c, ldc, strip, panel, rows, k, accumulate, ahead);
}

// Multiplications for one head.
double work(Isa isa, size_t length, AttentionMask mask) {
  counted_kernels = kernel_table(isa);
  counted_products = 0;
  KernelTable counting = *counted_kernels;
  GemmKernels gemm = counting.gemm_of(MatrixType::kF32);
  gemm.tile = count_products;
  counting.gemm[static_cast<size_t>(MatrixType::kF32)] = &gemm;
  Attention attention(length, 32, mask);
  attention.run({{0, 0, 0, length}}, counting);
  return static_cast<double>(counted_products);
}

void leaves_out_what_no_query_sees(Isa isa) {
  const AttentionMask window{AttentionMaskKind::kWindow, 128}, causal{AttentionMaskKind::kCausal, 0};
  const double full = work(isa, 4096, {});
  BN_CHECK(full == 2.0 * 4096 * 4096 * 32, "full attention is two products");
  const double by_window = work(isa, 4096, window);
  BN_CHECK(by_window <= full * 200 / 4096,
           "a window of 129 columns costs as much as " + std::to_string(by_window / full * 4096) + " columns");
  const double ratio = by_window / work(isa, 2048, window);
  BN_CHECK(ratio < 2.1, "twice the length costs " + std::to_string(ratio) + " times as much");
  BN_CHECK(work(isa, 4096, causal) < 0.52 * full, "a causal mask costs more than half");
}

void add_tests() {
  for (const Isa isa : available_isas()) {
    const std::string suffix = std::string(", ") + isa_name(isa);
    for (const auto& [position_name, position] : positions()) {
      for (const auto& [mask_name, mask] : masks()) {
        const EncoderSpecification specification = long_specification(position, mask);
        add("cpu/attention: agrees with float64, " + position_name + ", " + mask_name + suffix,
            [isa, specification, key = position_name + mask_name] {
              static std::map<std::string, std::unique_ptr<Expected>> known;  // the same for every instruction set
              std::unique_ptr<Expected>& expected = known[key];
              if (!expected) expected = std::make_unique<Expected>(specification);
              agrees_with_reference(isa, *expected);
            });
      }
    }
    for (const auto& [name, mask] : masks()) {
      const EncoderSpecification specification = long_specification(AttentionPositionKind::kRelativeKeyQuery, mask);
      add("cpu/attention: same bits in any company, " + name + suffix,
          [isa, specification] { same_bits_in_any_company(isa, Model(specification)); });
      add("cpu/attention: same bits whatever is wanted, " + name + suffix,
          [isa, specification] { same_bits_whatever_is_wanted(isa, Model(specification)); });
    }
    add("cpu/attention: same bits however queries are cut" + suffix, [isa] { same_bits_however_queries_are_cut(isa); });
    add("cpu/attention: operands of bf16" + suffix, [isa] { rounds_to_bf16(*kernel_table(isa)); });
    add("cpu/attention: memory is bounded" + suffix, [isa] { memory_is_bounded(isa); });
    add("cpu/attention: leaves out what no query sees" + suffix, [isa] { leaves_out_what_no_query_sees(isa); });
  }
  add("cpu/attention: operands of bf16, amx (emulated)", [] { rounds_to_bf16(emulated_amx_kernels()); });
  add("cpu/attention: tasks cover each query once", tasks_cover_each_query_once);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
