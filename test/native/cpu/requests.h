#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cpu/encoder.h"
#include "cpu/reference_encoder.h"
#include "encoder/parameter_source.h"
#include "encoder/specification.h"
#include "kernels/random.h"

// Small models with random weights, and requests to run through them.

namespace bert_native::test {

// A repeatable stream of small whole numbers.
class Numbers {
 public:
  explicit Numbers(uint32_t seed) : seed_(seed) {}
  size_t below(size_t limit) { return philox4x32({count_++, 0, 0, 0}, {seed_, 0})[0] % limit; }

 private:
  uint32_t seed_, count_ = 0;
};

// --- models ---

struct Sizes {
  size_t hidden, heads, head_size, inner, layers;
};

inline LayerSpecification make_layer(size_t heads, size_t head_size, size_t inner, Activation activation, float eps,
                                     AttentionPositionKind position = AttentionPositionKind::kNone) {
  LayerSpecification layer;
  layer.attention.num_attention_heads = heads;
  layer.attention.head_size = head_size;
  layer.attention.position.kind = position;
  layer.attention_norm = {eps, true};
  layer.mlp.intermediate_size = inner;
  layer.mlp.activation = activation;
  layer.mlp_norm = {eps, true};
  return layer;
}

// A layer behind the others, with parameters of its own.
inline LayerSpecification& add_layer(EncoderSpecification& specification, LayerSpecification layer) {
  layer.parameters = specification.layers.size();
  return specification.layers.emplace_back(std::move(layer));
}

// BERT.
inline EncoderSpecification make_specification(Sizes sizes, Activation activation = Activation::kGeluErf,
                                               AttentionPositionKind position = AttentionPositionKind::kNone) {
  EncoderSpecification specification;
  specification.hidden_size = sizes.hidden;
  EmbeddingsSpecification& embeddings = specification.embeddings;
  embeddings.vocab_size = 131;
  embeddings.embedding_size = sizes.hidden;
  embeddings.max_position_embeddings = 64;
  embeddings.type_vocab_size = 3;
  embeddings.norm.eps = 1e-12f;
  for (size_t i = 0; i < sizes.layers; ++i) {
    add_layer(specification, make_layer(sizes.heads, sizes.head_size, sizes.inner, activation, 1e-5f, position));
  }
  specification.pooler = Activation::kTanh;
  return specification;
}

// Random parameters, none of them trivial: gains around 1, other vectors and matrices around 0.
inline ParameterSources make_parameters(const EncoderSpecification& specification) {
  ParameterSources sources;
  uint64_t seed = 100;
  for (const Parameter& parameter : encoder_parameters(specification)) {
    size_t count = 1;
    for (const size_t size : parameter.shape) count *= size;
    const bool gain = parameter.name.find("norm.weight") != std::string::npos;
    const bool matrix = parameter.shape.size() > 1;
    std::vector<float> values(count);
    normal_values(values.data(), count, ++seed, 0,
                  matrix ? 0.7 / std::sqrt(static_cast<double>(count / parameter.shape[0])) : 0.2);
    if (gain) {
      for (float& value : values) value += 1;
    }
    sources[parameter.name] = {parameter.shape, std::move(values)};
  }
  return sources;
}

// What an encoder is loaded for.
struct Setup {
  const KernelTable& kernels;
  MatrixType type = MatrixType::kF32;

  Setup(Isa isa) : kernels(*kernel_table(isa)) {}
  Setup(const KernelTable& table, MatrixType matrix_type) : kernels(table), type(matrix_type) {}
};

struct Model {
  EncoderSpecification specification;
  ParameterSources parameters;
  // What agree_with_reference() compares with, computed once for all copies.
  std::shared_ptr<std::vector<ReferenceOutput>> reference = std::make_shared<std::vector<ReferenceOutput>>();

  explicit Model(EncoderSpecification made)
      : specification(std::move(made)), parameters(make_parameters(specification)) {}

  std::unique_ptr<CpuEncoder> load(const Setup& setup, ThreadPool& pool) const {
    return CpuEncoder::load(specification, parameters, setup.type, setup.kernels, pool);
  }
};

// --- requests ---

enum class Mask { kNone, kAll, kRight, kLeft, kInterior, kNothing, kOne };

// A row of a request with all its memory. Outputs start as NaN, so that what is left out shows.
struct Request {
  std::vector<int32_t> input_ids, token_type_ids, position_ids;
  std::vector<uint8_t> attention_mask;
  std::vector<float> inputs_embeds;
  std::vector<float> last_hidden_state, pooler_output, pooled;
  std::vector<std::vector<float>> hidden_states, attentions;
  Sequence sequence;

  Request(const EncoderSpecification& specification, size_t length, Mask mask, Numbers& numbers,
          bool explicit_ids = false) {
    sequence.length = length;
    for (size_t i = 0; i < length; ++i) {
      input_ids.push_back(static_cast<int32_t>(numbers.below(specification.embeddings.vocab_size)));
      const std::optional<int32_t> padding = specification.embeddings.position_padding_id;
      if (padding && numbers.below(4) == 0) input_ids.back() = *padding;
    }
    sequence.input_ids = input_ids.data();
    if (explicit_ids) {
      for (size_t i = 0; i < length; ++i) {
        token_type_ids.push_back(
            static_cast<int32_t>(numbers.below(std::max<size_t>(1, specification.embeddings.type_vocab_size))));
        position_ids.push_back(static_cast<int32_t>(numbers.below(specification.embeddings.max_position_embeddings)));
      }
      sequence.token_type_ids = token_type_ids.data();
      sequence.position_ids = position_ids.data();
    }
    if (mask != Mask::kNone) {
      for (size_t i = 0; i < length; ++i) attention_mask.push_back(masked(mask, i, length) ? 0 : 1);
      sequence.attention_mask = attention_mask.data();
    }
  }
  Request(const Request&) = delete;
  Request(Request&&) = default;

  static bool masked(Mask mask, size_t i, size_t length) {
    switch (mask) {
      case Mask::kRight:
        return i >= length - length / 3;
      case Mask::kLeft:
        return i < length / 3 + 1 && length > 1;
      case Mask::kInterior:
        return i % 3 == 1 || i == length / 2;
      case Mask::kNothing:
        return true;
      case Mask::kOne:
        return i != length - 1;
      default:
        return false;
    }
  }

  void embed(size_t embedding_size) {
    inputs_embeds.resize(sequence.length * embedding_size);
    normal_values(inputs_embeds.data(), inputs_embeds.size(), 77, 0, 0.5);
    sequence.inputs_embeds = inputs_embeds.data();
    sequence.input_ids = nullptr;
  }

  struct Wanted {
    bool last_hidden_state = true, pooler_output = true, pooled = true, hidden_states = true, attentions = true;
  };

  void want(const EncoderSpecification& specification, const Wanted& wanted) {
    const size_t hidden_size = specification.hidden_size, length = sequence.length;
    const auto output = [](std::vector<float>& values, bool is_wanted, size_t size) {
      values.assign(is_wanted ? size : 0, NAN);
      return is_wanted ? values.data() : nullptr;
    };
    sequence.last_hidden_state = output(last_hidden_state, wanted.last_hidden_state, length * hidden_size);
    sequence.pooler_output = output(pooler_output, wanted.pooler_output && specification.pooler, hidden_size);
    sequence.pooled = output(pooled, wanted.pooled, sequence.options.pooling.size() * hidden_size);
    hidden_states.assign(wanted.hidden_states ? specification.layers.size() + 1 : 0, {});
    attentions.assign(wanted.attentions ? specification.layers.size() : 0, {});
    sequence.hidden_states.clear();
    sequence.attentions.clear();
    for (auto& values : hidden_states) sequence.hidden_states.push_back(output(values, true, length * hidden_size));
    for (size_t layer = 0; layer < attentions.size(); ++layer) {
      const size_t heads = specification.layers[layer].attention.num_attention_heads;
      sequence.attentions.push_back(output(attentions[layer], true, heads * length * length));
    }
  }

  // All outputs one behind the other.
  std::vector<float> outputs() const {
    std::vector<float> all;
    const auto append = [&](const std::vector<float>& values) { all.insert(all.end(), values.begin(), values.end()); };
    append(last_hidden_state);
    append(pooler_output);
    append(pooled);
    for (const auto& values : hidden_states) append(values);
    for (const auto& values : attentions) append(values);
    return all;
  }
};

inline constexpr Sizes kOddSizes{36, 3, 12, 100, 2};

// Every kind of mask at lengths around the sizes of tiles.
inline std::vector<Request> make_requests(const EncoderSpecification& specification, uint32_t seed,
                                          std::vector<size_t> lengths = {1, 2, 7, 16, 33, 64}) {
  Numbers numbers(seed);
  std::vector<Request> requests;
  for (const size_t length : lengths) {
    for (const Mask mask :
         {Mask::kNone, Mask::kAll, Mask::kRight, Mask::kLeft, Mask::kInterior, Mask::kNothing, Mask::kOne}) {
      requests.emplace_back(specification, length, mask, numbers, numbers.below(2) == 0);
    }
  }
  requests.emplace_back(specification, 9, Mask::kInterior, numbers);
  requests.back().embed(specification.embeddings.embedding_size);
  requests.emplace_back(specification, 0, Mask::kAll, numbers);
  return requests;
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

}  // namespace bert_native::test
