#include "cpu/encoder_checks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <string>
#include <utility>

#include "common/file.h"
#include "cpu/reference_encoder.h"
#include "encoder/plan.h"
#include "harness.h"
#include "temporary_folder.h"

namespace bert_native::test {

// Rows of a block in these tests.
constexpr size_t kBlockRows = 1024;

// Checks the sequences, then runs them block by block in one workspace, as the scheduler does.
void run(const CpuEncoder& encoder, const std::vector<Sequence>& sequences, ThreadPool& pool, PassControl& control) {
  check_batch(encoder.specification(), sequences);
  Workspace workspace;
  std::vector<const Sequence*> block;
  size_t rows = 0;
  for (const Sequence& sequence : sequences) {
    if (rows > 0 && rows + needed_rows(encoder.specification(), sequence) > kBlockRows) {
      encoder.run_block(block, pool, control, workspace);
      block.clear();
      rows = 0;
    }
    block.push_back(&sequence);
    rows += needed_rows(encoder.specification(), sequence);
  }
  encoder.run_block(block, pool, control, workspace);
}

void run(const CpuEncoder& encoder, std::vector<Request>& requests, const OutputOptions& options, ThreadPool& pool,
         const Request::Wanted& wanted) {
  std::vector<Sequence> sequences;
  for (Request& request : requests) {
    request.want(encoder.specification(), wanted);
    request.sequence.options = options;
    sequences.push_back(request.sequence);
  }
  PassControl control;
  run(encoder, sequences, pool, control);
}

// --- agreement with the reference ---

namespace {

// Largest |a - b| / (1 + |b|).
double compare(const std::string& what, const std::vector<float>& actual, const Values& expected) {
  BN_CHECK(actual.size() == expected.size(), what + " has " + std::to_string(actual.size()) + " elements");
  double worst = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    const double error = std::fabs(actual[i] - expected[i]) / (1 + std::fabs(expected[i]));
    BN_CHECK(error <= 2e-5, what + "[" + std::to_string(i) + "] is " + std::to_string(actual[i]) + ", expected " +
                                std::to_string(expected[i]));
    worst = std::max(worst, error);
  }
  return worst;
}

// Rows of [rows, columns] at positions that are not shown become zeros.
Values hide(Values values, const Request& request, size_t columns, const OutputOptions& options) {
  if (options.compute_masked_positions || request.attention_mask.empty()) return values;
  for (size_t row = 0; row * columns < values.size(); ++row) {
    if (request.attention_mask[row % request.sequence.length] == 0) {
      std::fill_n(values.begin() + static_cast<ptrdiff_t>(row * columns), columns, 0.0);
    }
  }
  return values;
}

double compare_with_reference(const Model& model, const ReferenceOutput& expected, const Request& request,
                              const OutputOptions& options, const std::string& name) {
  const EncoderSpecification& specification = model.specification;
  const size_t hidden_size = specification.hidden_size;
  double worst = 0;
  const auto check = [&](const std::string& what, const std::vector<float>& actual, const Values& values) {
    worst = std::max(worst, compare(name + ", " + what, actual, values));
  };
  check("pooled", request.pooled,
        reference_pool(expected.last_hidden_state, request.sequence, hidden_size, options.pooling.front(),
                       options.normalize));
  if (specification.pooler) {
    Values pooler_output = expected.pooler_output;
    pooler_output.resize(hidden_size, 0.0);  // of an empty sequence: zeros
    check("pooler_output", request.pooler_output, pooler_output);
  }
  for (size_t i = 0; i < expected.hidden_states.size(); ++i) {
    const Values shown = hide(expected.hidden_states[i], request, hidden_size, options);
    check("hidden_states." + std::to_string(i), request.hidden_states[i], shown);
  }
  check("last_hidden_state", request.last_hidden_state,
        hide(expected.last_hidden_state, request, hidden_size, options));
  for (size_t i = 0; i < expected.attentions.size(); ++i) {
    check("attentions." + std::to_string(i), request.attentions[i],
          hide(expected.attentions[i], request, request.sequence.length, options));
    for (size_t j = 0; j < request.attentions[i].size(); ++j) {
      BN_CHECK(expected.attentions[i][j] != 0 || request.attentions[i][j] == 0,
               name + ", attentions." + std::to_string(i) + ": a key that is not seen has a probability");
    }
  }
  return worst;
}

}  // namespace

void agree_with_reference(const Setup& setup, const Model& model, const OutputOptions& options, size_t every) {
  ThreadPool pool(2);
  const auto encoder = model.load(setup, pool);
  std::vector<Request> all = make_requests(model.specification, 5), requests;
  if (model.reference->empty()) {
    for (const Request& request : all) {
      model.reference->push_back(reference_encode(model.specification, model.parameters, request.sequence));
    }
  }
  for (size_t i = 0; i < all.size(); i += every) requests.push_back(std::move(all[i]));
  run(*encoder, requests, options, pool);
  double worst = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string name = "sequence " + std::to_string(i * every);
    worst = std::max(worst, compare_with_reference(model, model.reference->at(i * every), requests[i], options, name));
  }
  note("largest error " + std::to_string(worst * 1e6) + "e-6");
}

// --- same bits whatever the batch ---

namespace {

void check_same_bits(const std::vector<Request>& requests, const std::vector<std::vector<float>>& expected,
                     const std::vector<size_t>& order, const std::string& what) {
  for (size_t i = 0; i < requests.size(); ++i) {
    BN_CHECK(same_bits(requests[i].outputs(), expected[order[i]]),
             what + ": sequence " + std::to_string(order[i]) + " differs from itself alone");
  }
}

std::vector<Request> take(std::vector<Request>& requests, const std::vector<size_t>& order) {
  std::vector<Request> taken;
  for (const size_t index : order) taken.push_back(std::move(requests[index]));
  return taken;
}

}  // namespace

void same_bits_in_any_company(const Setup& setup, const Model& model, const std::vector<size_t>& lengths) {
  const auto make = [&] { return make_requests(model.specification, 9, lengths); };
  const OutputOptions options;
  ThreadPool one(1), two(2), three(3);
  const auto encoder = model.load(setup, two);

  std::vector<std::vector<float>> expected;
  std::vector<Request> requests = make();
  for (Request& request : requests) {
    std::vector<Request> alone;
    alone.push_back(std::move(request));
    run(*encoder, alone, options, one);
    expected.push_back(alone[0].outputs());
  }
  std::vector<size_t> order(requests.size());
  std::iota(order.begin(), order.end(), 0);
  for (ThreadPool* pool : {&one, &two, &three}) {
    const std::string threads = std::to_string(pool->thread_count()) + " threads";
    requests = make();
    run(*encoder, requests, options, *pool);
    check_same_bits(requests, expected, order, "one batch, " + threads);

    std::vector<size_t> reversed(order.rbegin(), order.rend());
    requests = make();
    requests = take(requests, reversed);
    run(*encoder, requests, options, *pool);
    check_same_bits(requests, expected, reversed, "reversed, " + threads);

    Numbers numbers(3);
    std::vector<Request> all = make();
    for (size_t begin = 0; begin < all.size();) {
      const size_t count = std::min(all.size() - begin, 1 + numbers.below(5));
      const std::vector<size_t> part(order.begin() + static_cast<ptrdiff_t>(begin),
                                     order.begin() + static_cast<ptrdiff_t>(begin + count));
      requests = take(all, part);
      run(*encoder, requests, options, *pool);
      check_same_bits(requests, expected, part, "calls of a few sequences, " + threads);
      begin += count;
    }
  }
}

// A result does not depend on what else is asked for, nor on whether masked positions are computed.
void same_bits_whatever_is_wanted(const Setup& setup, const Model& model) {
  ThreadPool pool(2);
  const auto encoder = model.load(setup, pool);
  for (const Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kMax}) {
    OutputOptions options{.pooling = {pooling}};
    std::vector<Request> all = make_requests(model.specification, 4);
    run(*encoder, all, options, pool);
    for (const bool compute : {true, false}) {
      options.compute_masked_positions = compute;
      std::vector<Request> some = make_requests(model.specification, 4);
      run(*encoder, some, options, pool, {false, false, true, false, false});
      for (size_t i = 0; i < some.size(); ++i) {
        BN_CHECK(same_bits(some[i].pooled, all[i].pooled), "pooled alone, sequence " + std::to_string(i));
      }
      run(*encoder, some, options, pool, {false, true, false, false, false});
      for (size_t i = 0; i < some.size(); ++i) {
        BN_CHECK(same_bits(some[i].pooler_output, all[i].pooler_output),
                 "pooler_output alone, sequence " + std::to_string(i));
      }
      run(*encoder, some, options, pool, {true, false, false, false, false});
      for (size_t i = 0; i < some.size(); ++i) {
        const size_t hidden_size = model.specification.hidden_size;
        for (size_t s = 0; s < some[i].sequence.length; ++s) {
          if (!compute && !some[i].attention_mask.empty() && some[i].attention_mask[s] == 0) continue;
          BN_CHECK(std::memcmp(some[i].last_hidden_state.data() + s * hidden_size,
                               all[i].last_hidden_state.data() + s * hidden_size, hidden_size * sizeof(float)) == 0,
                   "last_hidden_state alone, sequence " + std::to_string(i) + ", position " + std::to_string(s));
        }
      }
    }
  }
}

// --- parameters ---

namespace {

// The parameter's values as a checkpoint would store them, and what they are as f32.
struct Stored {
  std::string bytes;
  std::vector<float> values;
};

Stored store(const std::vector<float>& values, Dtype dtype, size_t rows, size_t columns, bool transposed) {
  Stored stored;
  stored.values.resize(values.size());
  stored.bytes.resize(values.size() * size_bytes(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(values[i]);
    const size_t at = (transposed ? i % columns * rows + i / columns : i) * size_bytes(dtype);
    if (dtype == Dtype::kF32) {
      stored.values[i] = values[i];
      std::memcpy(stored.bytes.data() + at, &bits, 4);
    } else if (dtype == Dtype::kBF16) {
      const auto top = static_cast<uint16_t>(bits >> 16);
      stored.values[i] = std::bit_cast<float>(static_cast<uint32_t>(top) << 16);
      std::memcpy(stored.bytes.data() + at, &top, 2);
    } else {
      // f16 of magnitude 1 to 2 with the sign and the ten leading fraction bits of the value.
      const auto half = static_cast<uint16_t>((bits >> 31) << 15 | 15 << 10 | ((bits >> 13) & 1023));
      stored.values[i] = std::bit_cast<float>((bits & 0x80000000u) | 127u << 23 | (bits & (1023u << 13)));
      std::memcpy(stored.bytes.data() + at, &half, 2);
    }
  }
  return stored;
}

void check_loaded(const CpuEncoder& encoder, const std::map<std::string, std::vector<float>>& expected) {
  for (const auto& [name, values] : expected) {
    std::vector<float> actual(values.size(), NAN);
    encoder.read_parameter(name, actual.data());
    BN_CHECK(same_bits(actual, values), "parameter " + name + " is not what was loaded");
  }
}

}  // namespace

void gives_parameters_back(const Setup& setup, const EncoderSpecification& specification) {
  ThreadPool pool(2);
  for (const Dtype dtype : {Dtype::kF32, Dtype::kBF16, Dtype::kF16}) {
    for (const bool transposed : {false, true}) {
      TemporaryFolder folder;
      ParameterSources sources;
      std::map<std::string, std::vector<float>> expected;
      size_t count = 0;
      for (const auto& [name, made] : make_parameters(specification)) {
        const size_t rows = made.shape[0], columns = std::get<std::vector<float>>(made.values).size() / rows;
        Stored stored = store(std::get<std::vector<float>>(made.values), dtype, rows, columns, transposed);
        const std::string path = folder.write(name, stored.bytes);
        // Transposed: the columns, in the order of all dimensions but the first, one behind the other.
        std::vector<uint64_t> strides(made.shape.size());
        uint64_t stride = transposed ? rows : 1;
        for (size_t i = made.shape.size(); i-- > 1; stride *= made.shape[i]) strides[i] = stride;
        strides[0] = transposed || made.shape.size() == 1 ? 1 : columns;
        sources[name] = {made.shape, FileSpan{path, File(path).identity(), 0, dtype, strides}};
        expected[name] = std::move(stored.values);
        count += rows * columns;
      }
      const auto encoder = CpuEncoder::load(specification, sources, setup.type, setup.kernels, pool);
      check_loaded(*encoder, expected);
      BN_CHECK(encoder->weights_size_bytes() >= count * sizeof(float), "weights_size_bytes is too small");
      BN_CHECK(encoder->weights_size_bytes() < 4 * count * sizeof(float), "weights_size_bytes is too large");
    }
  }
}

}  // namespace bert_native::test
