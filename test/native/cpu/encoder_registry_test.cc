#include "cpu/encoder_registry.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "await.h"
#include "check_throws.h"
#include "common/errors.h"
#include "harness.h"

namespace bert_native::test {

namespace {

EncoderSpecification make_specification() {
  EncoderSpecification specification;
  specification.hidden_size = 4;
  specification.embeddings.vocab_size = 7;
  specification.embeddings.embedding_size = 4;
  specification.embeddings.max_position_embeddings = 5;
  specification.embeddings.type_vocab_size = 2;
  specification.layers.resize(2);
  for (LayerSpecification& layer : specification.layers) {
    layer.attention.num_attention_heads = layer.attention.head_size = 2;
    layer.mlp.intermediate_size = 6;
  }
  specification.layers[1].parameters = 1;
  specification.pooler = Activation::kTanh;
  return specification;
}

// Zeros throughout: what an encoder computes does not matter here.
ParameterSources make_sources(const EncoderSpecification& specification) {
  ParameterSources sources;
  for (const Parameter& parameter : encoder_parameters(specification)) {
    sources[parameter.name] = {parameter.shape, ConstantInit{}};
  }
  return sources;
}

std::unique_ptr<CpuEncoder> load_encoder() {
  const EncoderSpecification specification = make_specification();
  ThreadPool pool(1);
  return CpuEncoder::load(specification, make_sources(specification), MatrixType::kF32, *kernel_table(Isa::kScalar),
                          pool);
}

FileSpan make_span() {
  return {"/models/a/model.safetensors", {11, 12, 4096, 1700000000000000000}, 64, Dtype::kF32, {4, 1}};
}

// --- keys ---

struct Load {
  EncoderSpecification specification = make_specification();
  ParameterSources sources = make_sources(specification);
  Isa isa = Isa::kScalar;

  Load() {
    sources["embeddings.word"].values = make_span();
    sources["embeddings.token_type"].values = NormalInit{5, 0.02, -1};
  }
  FileSpan& span() { return std::get<FileSpan>(sources["embeddings.word"].values); }
  NormalInit& normal() { return std::get<NormalInit>(sources["embeddings.token_type"].values); }
  ConstantInit& constant() { return std::get<ConstantInit>(sources["embeddings.position"].values); }
  std::string key() const { return encoder_key(specification, sources, MatrixType::kF32, isa); }
};

void equal_loads_have_one_key() {
  BN_CHECK(!Load().key().empty(), "a load from files has no key");
  BN_CHECK(Load().key() == Load().key(), "two equal loads have different keys");
}

void different_loads_have_different_keys() {
  std::vector<std::string> keys{Load().key()};
  const auto check_differs = [&](const char* what, const auto& change) {
    Load load;
    change(load);
    const std::string key = load.key();
    for (const std::string& other : keys) BN_CHECK(key != other, std::string(what) + " does not show in the key");
    keys.push_back(key);
  };
  check_differs("the path", [](Load& load) { load.span().path = "/models/b/model.safetensors"; });
  check_differs("the device", [](Load& load) { ++load.span().identity.device; });
  check_differs("the inode", [](Load& load) { ++load.span().identity.inode; });
  check_differs("the file's size", [](Load& load) { ++load.span().identity.size_bytes; });
  check_differs("the time of modification", [](Load& load) { ++load.span().identity.modified_ns; });
  check_differs("the inode's time of change", [](Load& load) { ++load.span().identity.changed_ns; });
  check_differs("byte_offset", [](Load& load) { load.span().byte_offset = 128; });
  check_differs("the dtype", [](Load& load) { load.span().dtype = Dtype::kF16; });
  check_differs("the strides", [](Load& load) { load.span().strides = {1, 7}; });
  check_differs("the seed", [](Load& load) { load.normal().seed = 6; });
  check_differs("std", [](Load& load) { load.normal().std = 0.03; });
  check_differs("zero_row", [](Load& load) { load.normal().zero_row = 0; });
  check_differs("a constant", [](Load& load) { load.constant().value = 1; });
  check_differs("the kind of a source",
                [](Load& load) { load.sources["embeddings.token_type"].values = ConstantInit{}; });
  check_differs("a shape", [](Load& load) { load.sources["embeddings.position"].shape = {6, 4}; });
  check_differs("the instruction set", [](Load& load) { load.isa = Isa::kAvx2; });
  check_differs("hidden_size", [](Load& load) { load.specification.hidden_size = 8; });
  check_differs("the positions", [](Load& load) { load.specification.embeddings.position = PositionEmbedding::kNone; });
  check_differs("eps of the embeddings", [](Load& load) { load.specification.embeddings.norm.eps = 1e-5f; });
  check_differs("eps of a layer", [](Load& load) { load.specification.layers[1].mlp_norm.eps = 1e-5f; });
  check_differs("the heads", [](Load& load) {
    load.specification.layers[0].attention.num_attention_heads = 1;
    load.specification.layers[0].attention.head_size = 4;
  });
  check_differs("the mask", [](Load& load) {
    load.specification.layers[1].attention.mask = {AttentionMaskKind::kCausal, 0};
  });
  check_differs("the activation", [](Load& load) { load.specification.layers[1].mlp.activation = Activation::kRelu; });
  check_differs("the number of layers", [](Load& load) { load.specification.layers.pop_back(); });
  check_differs("embedding_size", [](Load& load) { load.specification.embeddings.embedding_size = 3; });
  check_differs("position_padding_id", [](Load& load) { load.specification.embeddings.position_padding_id = 0; });
  check_differs("the projection",
                [](Load& load) { load.specification.embeddings.projection = ProjectionPlacement::kAfterNorm; });
  check_differs("zero_masked", [](Load& load) { load.specification.embeddings.zero_masked = true; });
  check_differs("norm_placement",
                [](Load& load) { load.specification.layers[0].norm_placement = NormPlacement::kPre; });
  check_differs("a norm that is missing", [](Load& load) { load.specification.layers[0].attention_norm.reset(); });
  check_differs("a norm's bias", [](Load& load) { load.specification.layers[0].mlp_norm.bias = false; });
  check_differs("a gate", [](Load& load) { load.specification.layers[0].mlp.gated = true; });
  check_differs("shared parameters", [](Load& load) { load.specification.layers[1].parameters = 0; });
  check_differs("frequencies", [](Load& load) {
    load.specification.layers[0].attention.position.kind = AttentionPositionKind::kRotary;
    load.specification.layers[0].attention.position.inverse_frequencies = {1.0f};
  });
  check_differs("other frequencies", [](Load& load) {
    load.specification.layers[0].attention.position.kind = AttentionPositionKind::kRotary;
    load.specification.layers[0].attention.position.inverse_frequencies = {0.5f};
  });
  check_differs("scale_factor", [](Load& load) { load.specification.layers[0].attention.scale_factor = 3; });
  check_differs("relative positions", [](Load& load) { load.specification.relative_positions = {false, 1, {0}, {}}; });
  check_differs("rows by distance", [](Load& load) { load.specification.relative_positions = {false, 2, {1}, {}}; });
  check_differs("a convolution", [](Load& load) {
    load.specification.convolution = {3, 1, Activation::kTanh, {1e-7f, true}};
  });
  check_differs("a final norm", [](Load& load) { load.specification.final_norm = NormSpecification{}; });
  check_differs("the pooler's activation", [](Load& load) { load.specification.pooler = Activation::kRelu; });
  check_differs("a head", [](Load& load) { load.specification.heads = {{"logits", HeadInputKind::kTokens, {}, {}}}; });
  check_differs("a head's input", [](Load& load) {
    load.specification.heads = {{"logits", HeadInputKind::kPooler, {}, {}}};
  });
  check_differs("a head's steps", [](Load& load) {
    load.specification.heads = {{"logits", HeadInputKind::kTokens, {}, {HeadStep{}}}};
  });
  check_differs("the pooler", [](Load& load) { load.specification.pooler.reset(); });
}

void the_callers_arrays_have_no_key() {
  Load load;
  load.sources["pooler.dense.bias"].values = std::vector<float>(4);
  BN_CHECK(load.key().empty(), "arrays of the caller have a key");
  const auto first = acquire_encoder("", load_encoder), second = acquire_encoder("", load_encoder);
  BN_CHECK(first != second, "loads without a key share an encoder");
}

// --- sharing ---

void equal_keys_share_an_encoder() {
  size_t loads = 0;
  const auto load = [&] {
    ++loads;
    return load_encoder();
  };
  const auto first = acquire_encoder("sharing a", load), second = acquire_encoder("sharing a", load);
  BN_CHECK(first == second && loads == 1, "two loads of one key gave two encoders");
  const auto other = acquire_encoder("sharing b", load);
  BN_CHECK(other != first && loads == 2, "two keys share an encoder");
}

constexpr size_t kCallers = 4;

// Calls `call(index)`, which must not throw, on kCallers threads that set out together.
template <typename Call>
void call_together(const Call& call) {
  std::atomic<size_t> present{0};
  std::vector<std::thread> threads;
  for (size_t index = 0; index < kCallers; ++index) {
    threads.emplace_back([&, index] {
      ++present;
      while (present < kCallers) std::this_thread::yield();
      call(index);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void callers_at_once_share_a_load() {
  for (int round = 0; round < 50; ++round) {
    const std::string key = "at once " + std::to_string(round);
    std::atomic<size_t> loads{0};
    std::vector<std::shared_ptr<const CpuEncoder>> encoders(kCallers);
    call_together([&](size_t index) {
      encoders[index] = acquire_encoder(key, [&] {
        ++loads;
        std::this_thread::sleep_for(std::chrono::microseconds(100 * (round % 10)));
        return load_encoder();
      });
    });
    BN_CHECK(loads == 1, std::to_string(loads) + " loads of one key");
    for (const auto& encoder : encoders) BN_CHECK(encoder && encoder == encoders[0], "callers at once do not share");
  }
}

// Has kCallers ask for a load that fails. Returns how many of them loaded: one, and the others waited for it, unless
// the system kept one of them from asking in time.
size_t fail_together(const std::string& key) {
  std::atomic<size_t> loads{0}, asking{0}, failures{0};
  call_together([&](size_t) {
    ++asking;
    try {
      acquire_encoder(key, [&]() -> std::unique_ptr<CpuEncoder> {
        ++loads;
        await([&] { return asking == kCallers; }, "a caller is missing");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        throw Error(ErrorCode::kIo, "the disk is gone");
      });
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kIo && std::string(error.what()) == "the disk is gone") ++failures;
    } catch (...) {
    }
  });
  BN_CHECK(failures == kCallers, "only " + std::to_string(failures) + " callers got the error of the load");
  return loads;
}

void a_failure_reaches_every_waiter() {
  bool shared = false;
  for (int round = 0; round < 50 && !shared; ++round) shared = fail_together("failing") == 1;
  BN_CHECK(shared, "callers at once do not share a failure");
  BN_CHECK(acquire_encoder("failing", load_encoder) != nullptr, "the call after a failure did not load");
}

void released_encoders_are_forgotten() {
  size_t loads = 0;
  const auto load = [&] {
    ++loads;
    return load_encoder();
  };
  std::weak_ptr<const CpuEncoder> released = acquire_encoder("released", load);
  BN_CHECK(released.expired(), "the registry itself keeps an encoder");
  const auto again = acquire_encoder("released", load);
  BN_CHECK(again != nullptr && loads == 2, "a released encoder was not loaded again");
}

void add_tests() {
  add("cpu/encoder_registry: equal loads have one key", equal_loads_have_one_key);
  add("cpu/encoder_registry: different loads have different keys", different_loads_have_different_keys);
  add("cpu/encoder_registry: the caller's arrays have no key", the_callers_arrays_have_no_key);
  add("cpu/encoder_registry: equal keys share an encoder", equal_keys_share_an_encoder);
  add("cpu/encoder_registry: callers at once share a load", callers_at_once_share_a_load);
  add("cpu/encoder_registry: a failure reaches every waiter", a_failure_reaches_every_waiter);
  add("cpu/encoder_registry: released encoders are forgotten", released_encoders_are_forgotten);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
