#include "cpu/weights.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "allocation_limit.h"
#include "await.h"
#include "check_throws.h"
#include "common/errors.h"
#include "cpu/encoder.h"
#include "cpu/requests.h"
#include "harness.h"
#include "temporary_folder.h"

namespace bert_native::test {

namespace {

// Matrices of several chunks, with rows that no panel ends at, and parts of a matrix that no chunk ends at.
EncoderSpecification several_chunks() {
  EncoderSpecification specification = make_specification({330, 3, 37, 1201, 2});
  specification.embeddings.vocab_size = 1003;
  return specification;
}

size_t element_count(const std::vector<size_t>& shape) {
  size_t count = 1;
  for (const size_t size : shape) count *= size;
  return count;
}

// The same parameters as spans of one file, f32, each row-major or column-major in turn.
ParameterSources store(const ParameterSources& sources, TemporaryFolder& folder) {
  std::string bytes;
  std::map<std::string, std::pair<uint64_t, std::vector<uint64_t>>> spans;
  for (const auto& [name, source] : sources) {
    const size_t rows = source.shape[0], columns = source.shape.size() == 2 ? source.shape[1] : 1;
    const auto& values = std::get<std::vector<float>>(source.values);
    const bool transposed = spans.size() % 2 == 1 && columns > 1;
    std::vector<float> stored(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      stored[transposed ? i % columns * rows + i / columns : i] = values[i];
    }
    std::vector<uint64_t> strides{columns, 1};
    if (transposed) strides = {1, rows};
    if (source.shape.size() == 1) strides = {1};
    spans[name] = {bytes.size(), strides};
    bytes.append(reinterpret_cast<const char*>(stored.data()), stored.size() * sizeof(float));
  }
  const std::string path = folder.write("weights", bytes);
  const FileIdentity identity = File(path).identity();
  ParameterSources result;
  for (const auto& [name, span] : spans) {
    result[name] = {sources.at(name).shape, FileSpan{path, identity, span.first, Dtype::kF32, span.second}};
  }
  return result;
}

std::map<std::string, std::vector<float>> parameters_of(const EncoderSpecification& specification,
                                                        const ParameterSources& sources, MatrixType type, Isa isa,
                                                        size_t threads, const LoadControl& control = {}) {
  ThreadPool pool(threads);
  const auto encoder = CpuEncoder::load(specification, sources, type, *kernel_table(isa), pool, control);
  std::map<std::string, std::vector<float>> parameters;
  for (const Parameter& parameter : encoder_parameters(specification)) {
    std::vector<float>& values = parameters[parameter.name];
    values.assign(element_count(parameter.shape), NAN);
    encoder->read_parameter(parameter.name, values.data());
  }
  return parameters;
}

void loads_the_same_on_any_number_of_threads(Isa isa) {
  const EncoderSpecification specification = several_chunks();
  const ParameterSources made = make_parameters(specification);
  TemporaryFolder folder;
  const ParameterSources stored = store(made, folder);
  for (const MatrixType type : {MatrixType::kF32, MatrixType::kF16, MatrixType::kBf16, MatrixType::kInt8}) {
    const auto expected = parameters_of(specification, made, type, isa, 1);
    for (const auto& [name, source] : made) {
      if (type != MatrixType::kF32) break;
      BN_CHECK(expected.at(name) == std::get<std::vector<float>>(source.values), name + " is not what was given");
    }
    const std::vector<float>& pooler = std::get<std::vector<float>>(made.at("pooler.dense.weight").values);
    BN_CHECK((expected.at("pooler.dense.weight") == pooler) == (type != MatrixType::kF16),
             "the pooler is kept in type " + std::to_string(static_cast<int>(type)));
    for (const size_t threads : {1, 2, 5}) {
      const auto loaded = parameters_of(specification, stored, type, isa, threads);
      for (const auto& [name, values] : expected) {
        BN_CHECK(
            std::memcmp(values.data(), loaded.at(name).data(), values.size() * sizeof(float)) == 0,
            name + " differs, " + std::to_string(threads) + " threads, type " + std::to_string(static_cast<int>(type)));
      }
    }
  }
}

// Initial values on several threads are those of one.
void initialises_the_same_on_any_number_of_threads(Isa isa) {
  const EncoderSpecification specification = several_chunks();
  ParameterSources sources;
  for (const Parameter& parameter : encoder_parameters(specification)) {
    sources[parameter.name] = {parameter.shape, NormalInit{sources.size(), 0.02, parameter.shape.size() == 2 ? 1 : -1}};
  }
  const auto expected = parameters_of(specification, sources, MatrixType::kF32, Isa::kScalar, 1);
  for (const size_t threads : {1, 4}) {
    const auto made = parameters_of(specification, sources, MatrixType::kF32, isa, threads);
    for (const auto& [name, values] : expected) BN_CHECK(values == made.at(name), name);
  }
}

// Parameters of which none can be read: every thread fails, the first error is the call's, and the pool goes on.
void fails_once(MatrixType type) {
  const EncoderSpecification specification = several_chunks();
  const ParameterSources good = make_parameters(specification);
  TemporaryFolder folder;
  const FileSpan unreadable{folder.path(), File(folder.path()).identity(), 0, Dtype::kF32, {}};
  ParameterSources bad = good;
  for (auto& [name, source] : bad) {
    FileSpan span = unreadable;
    span.strides.assign(source.shape.size(), 0);
    source.values = span;
  }
  ThreadPool pool(4);
  const KernelTable& kernels = *kernel_table(Isa::kScalar);
  for (int round = 0; round < 20; ++round) {
    check_throws(ErrorCode::kIo, "reading '" + folder.path(),
                 [&] { CpuEncoder::load(specification, bad, type, kernels, pool); });
  }
  CpuEncoder::load(specification, good, type, kernels, pool);
}

// A file that is cut while threads read from it.
struct CutWhileLoading : LoadControl {
  std::string path;
  mutable std::atomic<bool> done{false};
  bool must_give_way() const override {
    if (!done.exchange(true)) std::filesystem::resize_file(path, 10);
    return false;
  }
};

void notices_a_file_that_is_cut_meanwhile() {
  const EncoderSpecification specification = several_chunks();
  ThreadPool pool(4);
  size_t cuts = 0;
  // A thread that comes late finds nothing left to load, and does not ask.
  const auto deadline = in_a_minute();
  for (int round = 0; round < 20 || (cuts == 0 && std::chrono::steady_clock::now() < deadline); ++round) {
    TemporaryFolder folder;
    const ParameterSources stored = store(make_parameters(specification), folder);
    CutWhileLoading control;
    control.path = std::get<FileSpan>(stored.begin()->second.values).path;
    try {
      CpuEncoder::load(specification, stored, MatrixType::kF32, *kernel_table(Isa::kScalar), pool, control);
      BN_CHECK(!control.done, "a file that was cut gave an encoder");
    } catch (const Error& error) {
      const std::string message = error.what();
      BN_CHECK(error.code() == ErrorCode::kIo, message);
      BN_CHECK(message.find("ended before") != std::string::npos || message.find("rewritten") != std::string::npos,
               message);
    }
    cuts += control.done;
  }
  BN_CHECK(cuts > 0, "no file was cut while it was loaded");
}

// While others need the machine, one thread loads all that is left.
struct AlwaysBusy : LoadControl {
  mutable std::atomic<size_t> asked{0};
  bool must_give_way() const override {
    ++asked;
    return true;
  }
};

void goes_on_while_it_gives_way() {
  const EncoderSpecification specification = several_chunks();
  const ParameterSources sources = make_parameters(specification);
  const AlwaysBusy control;
  const auto load = [&] {
    const auto loaded = parameters_of(specification, sources, MatrixType::kF32, Isa::kScalar, 4, control);
    for (const auto& [name, source] : sources) {
      BN_CHECK(loaded.at(name) == std::get<std::vector<float>>(source.values), name);
    }
    return control.asked > 0;
  };
  // A thread that comes late finds nothing left to load, and does not ask.
  await(load, "no thread asked whether it must give way");
}

// Short of memory for the weights, or for what a thread reads with: an error, and later loads succeed.
void short_memory_is_an_error() {
  const EncoderSpecification specification = several_chunks();
  TemporaryFolder folder;
  const ParameterSources stored = store(make_parameters(specification), folder);
  ThreadPool pool(3);
  const auto load = [&] {
    CpuEncoder::load(specification, stored, MatrixType::kInt8, *kernel_table(Isa::kScalar), pool);
  };
  for (const size_t bytes : {size_t{1} << 10, size_t{300} << 10}) {
    const AllocationLimit limit(bytes);
    check_throws(ErrorCode::kMemory, "could not allocate", load);
    BN_CHECK(limit.failures() > 0, "nothing was too large");
  }
  load();
}

void add_tests() {
  for (const Isa isa : available_isas()) {
    add(std::string("cpu/weights: the same on any number of threads, ") + isa_name(isa),
        [isa] { loads_the_same_on_any_number_of_threads(isa); });
    add(std::string("cpu/weights: the same initial values on any number of threads, ") + isa_name(isa),
        [isa] { initialises_the_same_on_any_number_of_threads(isa); });
  }
  add("cpu/weights: fails once, f32", [] { fails_once(MatrixType::kF32); });
  add("cpu/weights: fails once, int8", [] { fails_once(MatrixType::kInt8); });
  add("cpu/weights: notices a file that is cut meanwhile", notices_a_file_that_is_cut_meanwhile);
  add("cpu/weights: goes on while it gives way", goes_on_while_it_gives_way);
  add("cpu/weights: short memory is an error", short_memory_is_an_error);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
