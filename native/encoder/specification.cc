#include "encoder/specification.h"

#include <algorithm>
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
constexpr size_t kMaxKernelSize = 1023;
constexpr size_t kMaxHeads = 16, kMaxHeadSteps = 64;
constexpr size_t kMaxHeadMatrix = size_t{1} << 48;  // elements
constexpr size_t kMaxIds = std::numeric_limits<int32_t>::max();

void check_size(const std::string& name, size_t value, size_t limit) {
  if (value >= 1 && value <= limit) return;
  throw Error(ErrorCode::kConfig, name + " is " + std::to_string(value) + ": expected 1 to " + std::to_string(limit));
}

void check_eps(const std::string& name, float eps) {
  if (std::isfinite(eps) && eps >= 0) return;
  throw Error(ErrorCode::kConfig, name + " is " + std::to_string(eps) + ": expected a finite number, not negative");
}

[[noreturn]] void fail(const std::string& message) { throw Error(ErrorCode::kConfig, message); }

void check_norm(const std::string& name, const NormSpecification& norm) { check_eps(name + ".eps", norm.eps); }

void check_embeddings(const EncoderSpecification& specification) {
  const EmbeddingsSpecification& embeddings = specification.embeddings;
  check_size("embeddings.vocab_size", embeddings.vocab_size, kMaxIds);
  check_size("embeddings.embedding_size", embeddings.embedding_size, kMaxHiddenSize);
  check_size("embeddings.max_position_embeddings", embeddings.max_position_embeddings, kMaxPositions);
  if (embeddings.type_vocab_size > kMaxIds)
    check_size("embeddings.type_vocab_size", embeddings.type_vocab_size, kMaxIds);
  check_norm("embeddings.norm", embeddings.norm);
  if (embeddings.projection == ProjectionPlacement::kNone && embeddings.embedding_size != specification.hidden_size) {
    fail("embeddings.embedding_size is " + std::to_string(embeddings.embedding_size) + " and hidden_size " +
         std::to_string(specification.hidden_size) + ": expected the same number, or a projection");
  }
  if (embeddings.position_padding_id &&
      (*embeddings.position_padding_id < 0 || specification.longest_sequence() == 0)) {
    fail("embeddings.position_padding_id is " + std::to_string(*embeddings.position_padding_id) +
         ": expected a number below max_position_embeddings - 1");
  }
}

void check_attention_position(const std::string& name, const LayerSpecification& layer,
                              const EncoderSpecification& specification) {
  const AttentionPosition& position = layer.attention.position;
  const auto& relative = specification.relative_positions;
  switch (position.kind) {
    case AttentionPositionKind::kRotary:
      if (2 * position.inverse_frequencies.size() > layer.attention.head_size) {
        fail(name + ".inverse_frequencies holds " + std::to_string(position.inverse_frequencies.size()) +
             " numbers: expected at most half of head_size, " + std::to_string(layer.attention.head_size));
      }
      for (const float frequency : position.inverse_frequencies) check_eps(name + ".inverse_frequencies", frequency);
      break;
    case AttentionPositionKind::kBias:
      if (!relative || relative->vectors) fail(name + " is 'bias': expected relative_positions of kind 'bias'");
      if (layer.attention.num_attention_heads != specification.layers.front().attention.num_attention_heads) {
        fail(name + " is 'bias': expected as many heads in every layer");
      }
      break;
    case AttentionPositionKind::kDisentangled:
      if (!relative || !relative->vectors) {
        fail(name + " is 'disentangled': expected relative_positions of kind 'vectors'");
      }
      break;
    default:
      break;
  }
}

void check_layer(const std::string& name, const LayerSpecification& layer, const EncoderSpecification& specification) {
  const AttentionSpecification& attention = layer.attention;
  check_size(name + ".attention.num_attention_heads", attention.num_attention_heads, kMaxLayerWidth);
  check_size(name + ".attention.head_size", attention.head_size, kMaxLayerWidth);
  check_size(name + ".attention: num_attention_heads times head_size", attention.width(), kMaxLayerWidth);
  if (attention.mask.kind == AttentionMaskKind::kWindow) {
    check_size(name + ".attention.mask.size", attention.mask.window, kMaxWindow);
  }
  if (!(attention.scale_factor > 0) || !std::isfinite(attention.scale_factor)) {
    fail(name + ".attention.scale_factor is " + std::to_string(attention.scale_factor) + ": expected a number above 0");
  }
  check_attention_position(name + ".attention.position", layer, specification);
  check_size(name + ".mlp.intermediate_size", layer.mlp.intermediate_size, kMaxLayerWidth);
  if (layer.attention_norm) check_norm(name + ".attention_norm", *layer.attention_norm);
  if (!layer.attention_norm && layer.norm_placement == NormPlacement::kPost) {
    fail(name + ".attention_norm is missing: expected one where norms follow the sums");
  }
  check_norm(name + ".mlp_norm", layer.mlp_norm);
}

bool are_alike(const LayerSpecification& a, const LayerSpecification& b) {
  const AttentionPosition &position = a.attention.position, &other = b.attention.position;
  return a.attention.num_attention_heads == b.attention.num_attention_heads &&
         a.attention.head_size == b.attention.head_size &&
         a.attention.query_key_value_bias == b.attention.query_key_value_bias &&
         a.attention.output_bias == b.attention.output_bias && position.kind == other.kind &&
         position.to_key == other.to_key && position.to_query == other.to_query &&
         position.shared_projections == other.shared_projections &&
         a.attention_norm.has_value() == b.attention_norm.has_value() &&
         (!a.attention_norm || a.attention_norm->bias == b.attention_norm->bias) &&
         a.mlp.intermediate_size == b.mlp.intermediate_size && a.mlp.gated == b.mlp.gated &&
         a.mlp.up_bias == b.mlp.up_bias && a.mlp.down_bias == b.mlp.down_bias && a.mlp_norm.bias == b.mlp_norm.bias;
}

void check_layers(const EncoderSpecification& specification) {
  const std::vector<LayerSpecification>& layers = specification.layers;
  if (layers.size() > kMaxLayers) {
    fail("the encoder has " + std::to_string(layers.size()) + " layers: expected at most " +
         std::to_string(kMaxLayers));
  }
  for (size_t index = 0; index < layers.size(); ++index) {
    const std::string name = "layers." + std::to_string(index);
    const size_t shared = layers[index].parameters;
    check_layer(name, layers[index], specification);
    if (shared > index || layers[shared].parameters != shared || !are_alike(layers[shared], layers[index])) {
      fail(name + ".parameters is " + std::to_string(shared) +
           ": expected its own index, or that of an earlier layer " + "alike that has its own parameters");
    }
  }
}

void check_relative_positions(const RelativePositions& relative) {
  check_size("relative_positions.rows", relative.rows, kMaxPositions);
  if (relative.row_of.size() % 2 == 0 || relative.row_of.size() > 2 * kMaxPositions) {
    fail("relative_positions.row_of holds " + std::to_string(relative.row_of.size()) + " numbers: expected 2N - 1");
  }
  for (const uint32_t row : relative.row_of) {
    if (row >= relative.rows) {
      fail("relative_positions.row_of holds " + std::to_string(row) + ": expected 0 to " +
           std::to_string(relative.rows - 1));
    }
  }
  if (relative.norm) check_norm("relative_positions.norm", *relative.norm);
}

void check_convolution(const EncoderSpecification& specification) {
  const ConvolutionSpecification& convolution = *specification.convolution;
  check_size("convolution.kernel_size", convolution.kernel_size, kMaxKernelSize);
  check_size("convolution.groups", convolution.groups, specification.hidden_size);
  if (convolution.kernel_size % 2 == 0) fail("convolution.kernel_size is even: expected an odd number");
  if (specification.hidden_size % convolution.groups != 0) {
    fail("convolution.groups is " + std::to_string(convolution.groups) + ": expected a divisor of hidden_size");
  }
  check_norm("convolution.norm", convolution.norm);
}

void check_head(const HeadSpecification& head, const EncoderSpecification& specification) {
  const std::string name = "heads." + head.name;
  if (head.steps.size() > kMaxHeadSteps) fail(name + " has too many steps: expected at most 64");
  if (head.input == HeadInputKind::kPooler && !specification.pooler) fail(name + " needs a pooler: there is none");
  if (head.input == HeadInputKind::kPooled && head.modes.empty()) fail(name + ".input.modes is empty");
  size_t width = head_input_width(head, specification);
  for (const HeadStep& step : head.steps) {
    if (step.kind == HeadStepKind::kLinear) {
      check_size(name + "." + step.name + ".outputs", step.outputs, std::min(kMaxIds, kMaxHeadMatrix / width));
      width = step.outputs;
    }
    if (step.kind == HeadStepKind::kNorm) check_norm(name + "." + step.name, step.norm);
    if (step.kind == HeadStepKind::kWordEmbeddings) {
      if (width != specification.embeddings.embedding_size) {
        fail(name + "." + step.name + " takes " + std::to_string(width) + " numbers: expected embedding_size, " +
             std::to_string(specification.embeddings.embedding_size));
      }
      width = specification.embeddings.vocab_size;
    }
  }
}

// Collects parameters in the order of lib/engines/parameters.ts.
class ParameterList {
 public:
  std::vector<Parameter> parameters;

  void add(const std::string& name, std::vector<size_t> shape) { parameters.push_back({name, std::move(shape)}); }
  void add_linear(const std::string& name, size_t outputs, size_t inputs, bool bias = true) {
    add(name + ".weight", {outputs, inputs});
    if (bias) add(name + ".bias", {outputs});
  }
  void add_norm(const std::string& name, size_t size, const NormSpecification& norm) {
    add(name + ".weight", {size});
    if (norm.bias) add(name + ".bias", {size});
  }
};

void add_embeddings(ParameterList& list, const EncoderSpecification& specification) {
  const EmbeddingsSpecification& embeddings = specification.embeddings;
  const size_t H = specification.hidden_size, E = embeddings.embedding_size;
  list.add("embeddings.word", {embeddings.vocab_size, E});
  if (embeddings.position == PositionEmbedding::kAbsolute) {
    list.add("embeddings.position", {embeddings.max_position_embeddings, E});
  }
  if (embeddings.type_vocab_size > 0) list.add("embeddings.token_type", {embeddings.type_vocab_size, E});
  list.add_norm("embeddings.norm", embeddings.projection == ProjectionPlacement::kBeforeNorm ? H : E, embeddings.norm);
  if (embeddings.projection != ProjectionPlacement::kNone) {
    list.add_linear("embeddings.projection", H, E, embeddings.projection_bias);
  }
}

void add_layer(ParameterList& list, const LayerSpecification& layer, const EncoderSpecification& specification) {
  const AttentionSpecification& attention = layer.attention;
  const MlpSpecification& mlp = layer.mlp;
  const size_t H = specification.hidden_size, width = attention.width();
  const std::string name = "layers." + std::to_string(layer.parameters);
  for (const char* part : {".attention.query", ".attention.key", ".attention.value"}) {
    list.add_linear(name + part, width, H, attention.query_key_value_bias);
  }
  const AttentionPosition& position = attention.position;
  if (position.kind == AttentionPositionKind::kRelativeKey ||
      position.kind == AttentionPositionKind::kRelativeKeyQuery) {
    list.add(name + ".attention.distance",
             {2 * specification.embeddings.max_position_embeddings - 1, attention.head_size});
  }
  if (position.kind == AttentionPositionKind::kDisentangled && !position.shared_projections) {
    if (position.to_key) list.add_linear(name + ".attention.position_key", width, H);
    if (position.to_query) list.add_linear(name + ".attention.position_query", width, H);
  }
  list.add_linear(name + ".attention.output", H, width, attention.output_bias);
  if (layer.attention_norm) list.add_norm(name + ".attention.norm", H, *layer.attention_norm);
  if (mlp.gated) list.add_linear(name + ".mlp.gate", mlp.intermediate_size, H, mlp.up_bias);
  list.add_linear(name + ".mlp.up", mlp.intermediate_size, H, mlp.up_bias);
  list.add_linear(name + ".mlp.down", H, mlp.intermediate_size, mlp.down_bias);
  list.add_norm(name + ".mlp.norm", H, layer.mlp_norm);
}

size_t width_after(const HeadStep& step, size_t width, const EncoderSpecification& specification) {
  if (step.kind == HeadStepKind::kLinear) return step.outputs;
  return step.kind == HeadStepKind::kWordEmbeddings ? specification.embeddings.vocab_size : width;
}

void add_head(ParameterList& list, const HeadSpecification& head, const EncoderSpecification& specification) {
  size_t width = head_input_width(head, specification);
  for (const HeadStep& step : head.steps) {
    const std::string name = "heads." + head.name + "." + step.name;
    if (step.kind == HeadStepKind::kLinear) list.add_linear(name, step.outputs, width, step.bias);
    if (step.kind == HeadStepKind::kWordEmbeddings && step.bias) {
      list.add(name + ".bias", {specification.embeddings.vocab_size});
    }
    if (step.kind == HeadStepKind::kNorm) list.add_norm(name, width, step.norm);
    width = width_after(step, width, specification);
  }
}

void check_heads(const EncoderSpecification& specification) {
  if (specification.heads.size() > kMaxHeads) fail("the encoder has too many heads: expected at most 16");
  std::vector<std::string> names;
  ParameterList parameters;
  for (const HeadSpecification& head : specification.heads) {
    check_head(head, specification);
    names.push_back("heads." + head.name);
    add_head(parameters, head, specification);
  }
  const auto check_unique = [&] {
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) fail("there are two of " + *twice + ": expected heads and steps of different names");
  };
  check_unique();
  names.clear();
  for (const Parameter& parameter : parameters.parameters) names.push_back(parameter.name);
  check_unique();
}

}  // namespace

size_t EncoderSpecification::longest_sequence() const {
  const size_t positions = embeddings.max_position_embeddings;
  if (!embeddings.position_padding_id) return positions;
  const size_t first = static_cast<size_t>(*embeddings.position_padding_id) + 1;
  return positions > first ? positions - first : 0;
}

std::vector<Parameter> encoder_parameters(const EncoderSpecification& specification) {
  const size_t H = specification.hidden_size;
  ParameterList list;
  add_embeddings(list, specification);
  if (const auto& relative = specification.relative_positions) {
    const size_t heads = specification.layers.empty() ? 1 : specification.layers.front().attention.num_attention_heads;
    list.add("relative_positions.weight", {relative->rows, relative->vectors ? H : heads});
    if (relative->vectors && relative->norm) list.add_norm("relative_positions.norm", H, *relative->norm);
  }
  for (size_t index = 0; index < specification.layers.size(); ++index) {
    if (specification.layers[index].parameters == index) add_layer(list, specification.layers[index], specification);
  }
  if (const auto& convolution = specification.convolution) {
    list.add("convolution.weight", {H, H / convolution->groups, convolution->kernel_size});
    list.add("convolution.bias", {H});
    list.add_norm("convolution.norm", H, convolution->norm);
  }
  if (specification.final_norm) list.add_norm("final_norm", H, *specification.final_norm);
  if (specification.pooler) list.add_linear("pooler.dense", H, H);
  for (const HeadSpecification& head : specification.heads) add_head(list, head, specification);
  return std::move(list.parameters);
}

size_t head_input_width(const HeadSpecification& head, const EncoderSpecification& specification) {
  return head.input == HeadInputKind::kPooled ? head.modes.size() * specification.hidden_size
                                              : specification.hidden_size;
}

size_t head_width(const HeadSpecification& head, const EncoderSpecification& specification) {
  size_t width = head_input_width(head, specification);
  for (const HeadStep& step : head.steps) width = width_after(step, width, specification);
  return width;
}

void check_specification(const EncoderSpecification& specification) {
  check_size("hidden_size", specification.hidden_size, kMaxHiddenSize);
  check_embeddings(specification);
  check_layers(specification);
  if (specification.relative_positions) check_relative_positions(*specification.relative_positions);
  if (specification.convolution) check_convolution(specification);
  if (specification.final_norm) check_norm("final_norm", *specification.final_norm);
  check_heads(specification);
}

}  // namespace bert_native
