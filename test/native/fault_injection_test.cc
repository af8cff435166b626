// Every allocation fails once, and from every one on all others: work that comes to that gives an error of memory or
// its result, in the end, and what is left works as before. Built with -fsanitize=address, this shows leaks, too.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "allocation_limit.h"
#include "common/errors.h"
#include "common/thread_pool.h"
#include "cpu/encoder.h"
#include "cpu/requests.h"
#include "cpu/scheduler.h"
#include "encoder/compute_limits.h"
#include "harness.h"
#include "onnxruntime/fake_session.h"
#include "onnxruntime/graph_call.h"
#include "onnxruntime/graph_runner.h"
#include "search/vector_index.h"
#include "temporary_folder.h"
#include "tokenizer/flat.h"
#include "tokenizer/pipelines/bert.h"
#include "tokenizer/pipelines/byte_level.h"
#include "tokenizer/pipelines/spaced.h"
#include "tokenizer/pre_tokenizers/byte_level.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/trainers/wordpiece.h"
#include "tokenizer/unicode.h"

namespace bert_native::test {

namespace {

constexpr size_t kAll = std::numeric_limits<size_t>::max();
// The first allocations one by one; behind them, where each is like many others, ever fewer.
constexpr size_t kEach = 400;

// What becomes of `work`: nothing, where it succeeds, or what it threw.
std::exception_ptr outcome_of(const std::function<void()>& work) {
  try {
    work();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

std::string describe(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "no std::exception";
  }
}

// Runs `work` with each of its allocations failing in turn, until none is left to fail. `check` looks, with memory at
// hand again, whether everything works.
void fail_each_allocation(const std::function<void()>& work, const std::function<void()>& check) {
  work();
  check();
  size_t tried = 0, errors = 0;
  for (const size_t count : {size_t{1}, kAll}) {
    for (size_t first = 0;; first += std::max<size_t>(1, first / kEach)) {
      std::exception_ptr failure;
      bool failed;
      {
        const FailingProcessAllocations failing(first, count);
        failure = outcome_of(work);
        failed = failing.failed();
      }
      const std::string which = "allocation " + std::to_string(first) + (count == 1 ? "" : " and all behind it");
      if (failure) BN_CHECK(is_out_of_memory(failure), which + ": " + describe(failure));
      if (failure) BN_CHECK(failed, which + ": an error without a cause");
      check();
      if (!failed) break;
      ++tried;
      errors += failure != nullptr;
    }
  }
  BN_CHECK(errors > 0, "no failing allocation was noticed");
  note(std::to_string(tried) + " failures, " + std::to_string(errors) + " errors");
}

// The outcome of a call that settles on another thread. Where no memory is left at all, it may wait until there is
// some. One that never settles would hang the test: it fails instead.
void await_settled(std::future<std::exception_ptr>& outcome) {
  if (outcome.wait_for(std::chrono::milliseconds(30)) != std::future_status::ready) {
    FailingProcessAllocations::end();
    if (outcome.wait_for(std::chrono::minutes(2)) != std::future_status::ready) {
      std::fputs("a call was never settled\n", stderr);
      std::abort();
    }
  }
  if (const std::exception_ptr failure = outcome.get()) std::rethrow_exception(failure);
}

// --- the native engine ---

// All parameters as spans of one file.
ParameterSources store(const ParameterSources& sources, const TemporaryFolder& folder) {
  std::string bytes;
  for (const auto& [name, source] : sources) {
    const auto& values = std::get<std::vector<float>>(source.values);
    bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  const std::string path = folder.write("weights", bytes);
  const FileIdentity identity = File(path).identity();
  ParameterSources result;
  uint64_t offset = 0;
  for (const auto& [name, source] : sources) {
    std::vector<uint64_t> strides(source.shape.size(), 1);
    for (size_t i = strides.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * source.shape[i];
    result[name] = {source.shape, FileSpan{path, identity, offset, Dtype::kF32, strides}};
    offset += std::get<std::vector<float>>(source.values).size() * sizeof(float);
  }
  return result;
}

void loads(MatrixType type) {
  const EncoderSpecification specification = make_specification(kOddSizes);
  TemporaryFolder folder;
  const ParameterSources stored = store(make_parameters(specification), folder);
  const KernelTable& kernels = *kernel_table(available_isas().back());
  ThreadPool pool(2);
  std::vector<float> expected(specification.hidden_size), found(specification.hidden_size);
  const auto load = [&] { return CpuEncoder::load(specification, stored, type, kernels, pool); };
  load()->read_parameter("pooler.dense.bias", expected.data());
  fail_each_allocation([&] { load(); },
                       [&] {
                         load()->read_parameter("pooler.dense.bias", found.data());
                         BN_CHECK(found == expected, "a model loaded afterwards differs");
                       });
}

void starts_threads() {
  fail_each_allocation(
      [] {
        ThreadPool pool(3);
        pool.parallel_for(5, [](size_t, size_t) {});
      },
      [] { BN_CHECK(make_thread_pool(3) != nullptr, "no threads afterwards"); });
}

struct Call : ForwardTask {
  std::vector<Request> requests;
  std::promise<std::exception_ptr> promise;
  std::future<std::exception_ptr> outcome = promise.get_future();
};

// Rows of several lengths, as one call through the scheduler.
void run_call(const std::shared_ptr<const CpuEncoder>& encoder, std::vector<float>* outputs) {
  const auto call = std::make_shared<Call>();
  call->encoder = encoder;
  call->requests = make_requests(encoder->specification(), 5, {3, 33});
  for (Request& request : call->requests) {
    request.want(encoder->specification(), {});
    call->sequences.push_back(request.sequence);
  }
  call->done = [&call = *call](std::exception_ptr failure) { call.promise.set_value(std::move(failure)); };
  Scheduler::instance().submit(call);
  await_settled(call->outcome);
  if (outputs == nullptr) return;
  outputs->clear();
  for (const Request& request : call->requests) {
    const std::vector<float> values = request.outputs();
    outputs->insert(outputs->end(), values.begin(), values.end());
  }
}

// What failed calls leave counted as queued fills this, in the end.
class SmallQueue {
 public:
  SmallQueue() { ComputeLimits::instance().set_max_queued_tokens(2048); }
  ~SmallQueue() { ComputeLimits::instance().set_max_queued_tokens(kAll); }
  SmallQueue(const SmallQueue&) = delete;
};

void computes() {
  const SmallQueue queue;
  const Model model(make_specification(kOddSizes));
  ThreadPool pool(1);
  const std::shared_ptr<const CpuEncoder> encoder = model.load(available_isas().back(), pool);
  std::vector<float> expected, found;
  run_call(encoder, &expected);
  fail_each_allocation([&] { run_call(encoder, nullptr); },
                       [&] {
                         run_call(encoder, &found);
                         BN_CHECK(same_bits(found, expected), "a call made afterwards differs");
                       });
}

// --- graphs ---

void runs_graphs() {
  const SmallQueue queue;
  const auto encoder = make_fake_encoder(std::make_shared<FakeSession>());
  encoder->token_budget = 40;
  GraphWanted wanted;
  wanted.states = wanted.pooler = wanted.heads = true;
  wanted.pooling = {Pooling::kMean};
  const auto run = [&](bool checked) {
    const auto call = submit(encoder, plain_rows({5, 17, 1, 9, 30}, 3), wanted);
    await_settled(call->outcome);
    if (checked) call->check_results();
  };
  fail_each_allocation([&] { run(false); }, [&] { run(true); });
}

// --- tokenizers ---

EncodeInput input_of(const std::u16string& text) {
  return {{{text.begin(), text.end()}, {0, text.size()}, false, {}}, false, {}, 0};
}

const std::u16string kText = u"  Ab ab<x>가각 naïve'll \U0001F600 ab\xd800 zzzzzzzzzzzz ab ab. É";

std::vector<AddedToken> added_tokens(int32_t id) { return {{u"<x>", id, true, true, false, false, false}}; }

TemplateProcessor plain_template() {
  const TemplatePiece first{TemplatePiece::Kind::kFirst, 0, 0}, second{TemplatePiece::Kind::kSecond, 0, 1};
  return TemplateProcessor({first}, {first, second});
}

std::unique_ptr<Tokenizer> make_tokenizer(std::shared_ptr<const TokenizerModel> model,
                                          std::shared_ptr<const GeneralPipeline> general,
                                          std::unique_ptr<const Pipeline> fast, DecoderPointer decoder) {
  const auto id = static_cast<int32_t>(model->vocabulary().size());
  return std::make_unique<Tokenizer>(TokenizerParts{std::move(model), added_tokens(id), std::move(general),
                                                    std::move(fast), plain_template(), std::move(decoder),
                                                    std::nullopt});
}

std::vector<std::string> entries() {
  std::vector<std::string> all{"[UNK]", "a", "##b", "ab", "▁", "▁a", "가", "나", "na", "##i", "##ve", "é", "e"};
  for (const char32_t c : byte_level_alphabet()) all.push_back(unicode::to_utf8(std::u32string_view(&c, 1)));
  return all;
}

std::unique_ptr<Tokenizer> make_wordpiece() {
  const auto model = std::make_shared<const TokenizerModel>(flat(entries()), WordPieceOptions{});
  const std::shared_ptr<const bert_native::Model> words(model, &model->model());
  auto general = std::make_shared<const GeneralPipeline>(
      GeneralPipelineParts{words, make_bert_normalizer({}), make_bert_pre_tokenizer(), {}});
  return make_tokenizer(model, general, make_bert_pipeline(model, {}, {u"naive"}), make_wordpiece_decoder("##", true));
}

std::unique_ptr<Tokenizer> make_byte_level_bpe() {
  const auto make = [](const FlatStrings& vocabulary) { return make_bpe_model(vocabulary, flat({"a", "b"}), {}); };
  const auto model = std::make_shared<const TokenizerModel>(flat(entries()), make);
  const std::shared_ptr<const bert_native::Model> words(model, &model->model());
  auto general = std::make_shared<const GeneralPipeline>(
      GeneralPipelineParts{words, nullptr, make_byte_level_pre_tokenizer(true, true), {}});
  auto fast = make_byte_level_pipeline(general, {words, {}, true, false});
  return make_tokenizer(model, general, std::move(fast), make_byte_level_decoder());
}

std::unique_ptr<Tokenizer> make_unigram() {
  const auto make = [](const FlatStrings& vocabulary) {
    return make_unigram_model(vocabulary, std::vector<double>(vocabulary.size(), -1.5), {0, false});
  };
  const auto model = std::make_shared<const TokenizerModel>(flat(entries()), make);
  const std::shared_ptr<const bert_native::Model> words(model, &model->model());
  std::vector<NormalizerPointer> normalizers;
  normalizers.push_back(make_unicode_normalizer(UnicodeForm::kNfkc));
  normalizers.push_back(make_replace_normalizer(make_literal_pattern(U"  "), U" "));
  auto general = std::make_shared<const GeneralPipeline>(
      GeneralPipelineParts{words,
                           make_normalizer_sequence(std::move(normalizers)),
                           make_metaspace_pre_tokenizer(U'▁', PrependScheme::kAlways, true),
                           {}});
  auto fast = make_spaced_pipeline(general);
  return make_tokenizer(model, general, std::move(fast), make_metaspace_decoder(U'▁', PrependScheme::kAlways));
}

using MakeTokenizer = std::unique_ptr<Tokenizer> (*)();

void makes_tokenizers(MakeTokenizer make) {
  const std::vector<int32_t> expected = make()->encode(input_of(kText), {}).ids;
  fail_each_allocation([&] { make(); },
                       [&] { BN_CHECK(make()->encode(input_of(kText), {}).ids == expected, "other ids afterwards"); });
}

// In one tokenizer, which remembers words from call to call.
void tokenizes(MakeTokenizer make) {
  const std::unique_ptr<Tokenizer> tokenizer = make();
  const std::vector<int32_t> expected = make()->encode(input_of(kText), {}).ids;
  const std::string text = make()->decode(expected, {});
  EncodeOptions aligned;
  aligned.return_offsets = aligned.return_word_ids = true;
  fail_each_allocation(
      [&] {
        tokenizer->encode(input_of(kText), {});
        tokenizer->encode(input_of(kText), aligned);
        tokenizer->decode(expected, {});
      },
      [&] {
        BN_CHECK(tokenizer->encode(input_of(kText), {}).ids == expected, "other ids afterwards");
        BN_CHECK(tokenizer->decode(expected, {}) == text, "another text afterwards");
      });
}

void trains() {
  const auto train = [] {
    WordPieceTrainerOptions options;
    options.vocab_size = 40;
    options.special_tokens = {"[UNK]", "[PAD]"};
    WordPieceTrainer trainer({}, options);
    for (int i = 0; i < 3; ++i) trainer.count_words(kText + u" the then there 가나다 가나");
    TrainingProgress progress;
    return trainer.train(progress);
  };
  const std::vector<std::string> expected = train();
  fail_each_allocation([&] { train(); }, [&] { BN_CHECK(train() == expected, "another vocabulary afterwards"); });
}

// --- search ---

void searches() {
  constexpr size_t kDimensions = 20, kSize = 300;
  std::vector<float> vectors(kSize * kDimensions);
  normal_values(vectors.data(), vectors.size(), 3, 0, 1);
  const KernelTable& kernels = *kernel_table(available_isas().back());
  ThreadPool pool(2);
  const auto search = [&](bool copies) {
    const VectorIndex index(vectors.data(), kSize, kDimensions, SearchScore::kCosine, copies, kernels, pool);
    return index.search(vectors.data(), 3, 5, pool, [] { return false; }).indices;
  };
  const std::vector<int32_t> expected = search(true);
  fail_each_allocation(
      [&] {
        search(true);
        search(false);
      },
      [&] { BN_CHECK(search(true) == expected && search(false) == expected, "other results afterwards"); });
}

void add_tests() {
  const std::string name = "fault_injection: ";
  add(name + "loading, f32", [] { loads(MatrixType::kF32); });
  add(name + "loading, int8", [] { loads(MatrixType::kInt8); });
  add(name + "threads", starts_threads);
  add(name + "forward passes", computes);
  add(name + "runs of graphs", runs_graphs);
  const std::vector<std::pair<std::string, MakeTokenizer>> tokenizers{
      {"WordPiece", make_wordpiece}, {"byte-level BPE", make_byte_level_bpe}, {"Unigram", make_unigram}};
  for (const auto& [kind, make] : tokenizers) {
    add(name + "making a tokenizer, " + kind, [make = make] { makes_tokenizers(make); });
    add(name + "tokenizing, " + kind, [make = make] { tokenizes(make); });
  }
  add(name + "training a vocabulary", trains);
  add(name + "vector index", searches);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
