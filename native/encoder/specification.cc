#include "encoder/specification.h"

#include <cmath>
#include <limits>
#include <utility>

#include "common/errors.h"

namespace bert_native {

namespace {

// Far beyond any published encoder, and nowhere below the bounds of the families in lib/models. Within them the bytes
// of all parameters together are a number of 64 bits.
constexpr size_t kMaxLayers = 4096;
constexpr size_t kMaxHiddenSize = size_t{1} << 17;
constexpr size_t kMaxLayerWidth = size_t{1} << 20;
constexpr size_t kMaxPositions = size_t{1} << 24;
constexpr size_t kMaxWindow = 2 * kMaxPositions;
constexpr size_t kMaxIds = std::numeric_limits<int32_t>::max();

void check_size(const std::string& name, size_t value, size_t limit) {
  if (value >= 1 && value <= limit) return;
  throw Error(ErrorCode::kConfig, name + " is " + std::to_string(value) + ": expected 1 to " + std::to_string(limit));
}

void check_eps(const std::string& name, float eps) {
  if (std::isfinite(eps) && eps >= 0) return;
  throw Error(ErrorCode::kConfig, name + " is " + std::to_string(eps) + ": expected a finite number, not negative");
}

void check_layer(const std::string& name, const LayerSpecification& layer) {
  check_size(name + ".attention.num_attention_heads", layer.num_attention_heads, kMaxLayerWidth);
  check_size(name + ".attention.head_size", layer.head_size, kMaxLayerWidth);
  check_size(name + ".attention: num_attention_heads times head_size", layer.num_attention_heads * layer.head_size,
             kMaxLayerWidth);
  if (layer.mask.kind == AttentionMaskKind::kWindow) {
    check_size(name + ".attention.mask.size", layer.mask.window, kMaxWindow);
  }
  check_size(name + ".mlp.intermediate_size", layer.intermediate_size, kMaxLayerWidth);
  check_eps(name + ".layer_norm_eps", layer.layer_norm_eps);
}

}  // namespace

std::vector<Parameter> encoder_parameters(const EncoderSpecification& specification) {
  const size_t hidden_size = specification.hidden_size;
  const EmbeddingsSpecification& embeddings = specification.embeddings;
  std::vector<Parameter> parameters;
  const auto add = [&](const std::string& name, std::vector<size_t> shape) {
    parameters.push_back({name, std::move(shape)});
  };
  const auto add_linear = [&](const std::string& name, size_t outputs, size_t inputs) {
    add(name + ".weight", {outputs, inputs});
    add(name + ".bias", {outputs});
  };
  const auto add_norm = [&](const std::string& name) {
    add(name + ".weight", {hidden_size});
    add(name + ".bias", {hidden_size});
  };

  add("embeddings.word", {embeddings.vocab_size, hidden_size});
  if (embeddings.position == PositionEmbedding::kAbsolute) {
    add("embeddings.position", {embeddings.max_position_embeddings, hidden_size});
  }
  add("embeddings.token_type", {embeddings.type_vocab_size, hidden_size});
  add_norm("embeddings.norm");
  for (size_t index = 0; index < specification.layers.size(); ++index) {
    const LayerSpecification& layer = specification.layers[index];
    const std::string name = "layers." + std::to_string(index);
    const size_t width = layer.num_attention_heads * layer.head_size;
    add_linear(name + ".attention.query", width, hidden_size);
    add_linear(name + ".attention.key", width, hidden_size);
    add_linear(name + ".attention.value", width, hidden_size);
    if (layer.attention_position != AttentionPosition::kNone) {
      add(name + ".attention.distance", {2 * embeddings.max_position_embeddings - 1, layer.head_size});
    }
    add_linear(name + ".attention.output", hidden_size, width);
    add_norm(name + ".attention.norm");
    add_linear(name + ".mlp.up", layer.intermediate_size, hidden_size);
    add_linear(name + ".mlp.down", hidden_size, layer.intermediate_size);
    add_norm(name + ".mlp.norm");
  }
  if (specification.pooler) add_linear("pooler.dense", hidden_size, hidden_size);
  return parameters;
}

void check_specification(const EncoderSpecification& specification) {
  const EmbeddingsSpecification& embeddings = specification.embeddings;
  check_size("hidden_size", specification.hidden_size, kMaxHiddenSize);
  check_size("embeddings.vocab_size", embeddings.vocab_size, kMaxIds);
  check_size("embeddings.max_position_embeddings", embeddings.max_position_embeddings, kMaxPositions);
  check_size("embeddings.type_vocab_size", embeddings.type_vocab_size, kMaxIds);
  check_eps("embeddings.layer_norm_eps", embeddings.layer_norm_eps);
  if (specification.layers.size() > kMaxLayers) {
    throw Error(ErrorCode::kConfig, "the encoder has " + std::to_string(specification.layers.size()) +
                                        " layers: expected at most " + std::to_string(kMaxLayers));
  }
  for (size_t index = 0; index < specification.layers.size(); ++index) {
    check_layer("layers." + std::to_string(index), specification.layers[index]);
  }
}

}  // namespace bert_native
