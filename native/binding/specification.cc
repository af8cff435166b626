#include "binding/specification.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace bert_native {

namespace {

// What the member `name`, a string, stands for.
template <typename Choice, size_t N>
Choice read_choice(const Fields& object, const char* name, const std::pair<const char*, Choice> (&choices)[N]) {
  return choose(object.utf8(name), object.path(name), choices);
}

Activation read_activation(const Fields& object) {
  return read_choice<Activation>(object, "activation",
                                 {{"gelu_erf", Activation::kGeluErf},
                                  {"gelu_tanh", Activation::kGeluTanh},
                                  {"quick_gelu", Activation::kQuickGelu},
                                  {"relu", Activation::kRelu},
                                  {"silu", Activation::kSilu},
                                  {"tanh", Activation::kTanh}});
}

NormSpecification read_norm(const Fields& object) {
  return {static_cast<float>(object.number("eps")), object.boolean("bias")};
}

std::optional<NormSpecification> read_optional_norm(const Fields& object, const char* name) {
  if (object.is_null(name)) return std::nullopt;
  return read_norm(object.object(name));
}

EmbeddingsSpecification read_embeddings(const Fields& object) {
  EmbeddingsSpecification embeddings;
  embeddings.vocab_size = object.size("vocab_size");
  embeddings.embedding_size = object.size("embedding_size");
  embeddings.position = read_choice<PositionEmbedding>(
      object, "position", {{"absolute", PositionEmbedding::kAbsolute}, {"none", PositionEmbedding::kNone}});
  embeddings.max_position_embeddings = object.size("max_position_embeddings");
  if (!object.is_null("position_padding_id")) {
    embeddings.position_padding_id = object.integer("position_padding_id", 0);
  }
  embeddings.type_vocab_size = object.size("type_vocab_size");
  embeddings.norm = read_norm(object.object("norm"));
  if (!object.is_null("projection")) {
    const Fields projection = object.object("projection");
    embeddings.projection = read_choice<ProjectionPlacement>(
        projection, "placement",
        {{"before_norm", ProjectionPlacement::kBeforeNorm}, {"after_norm", ProjectionPlacement::kAfterNorm}});
    embeddings.projection_bias = projection.boolean("bias");
  }
  embeddings.zero_masked = object.boolean("zero_masked");
  return embeddings;
}

AttentionPosition read_attention_position(const Fields& object) {
  AttentionPosition position;
  position.kind = read_choice<AttentionPositionKind>(object, "kind",
                                                     {{"none", AttentionPositionKind::kNone},
                                                      {"relative_key", AttentionPositionKind::kRelativeKey},
                                                      {"relative_key_query", AttentionPositionKind::kRelativeKeyQuery},
                                                      {"rotary", AttentionPositionKind::kRotary},
                                                      {"bias", AttentionPositionKind::kBias},
                                                      {"disentangled", AttentionPositionKind::kDisentangled}});
  if (position.kind == AttentionPositionKind::kRotary) {
    object.each("inverse_frequencies", [&](const Napi::Value& value, const auto& path) {
      if (!value.IsNumber()) throw_expected(path(), "a number");
      position.inverse_frequencies.push_back(value.As<Napi::Number>().FloatValue());
    });
    position.neighbours = read_choice<bool>(object, "pairs", {{"halves", false}, {"neighbours", true}});
  }
  if (position.kind == AttentionPositionKind::kDisentangled) {
    position.to_key = object.boolean("to_key");
    position.to_query = object.boolean("to_query");
    position.shared_projections = object.boolean("shared_projections");
  }
  return position;
}

AttentionMask read_mask(const Fields& object) {
  AttentionMask mask;
  mask.kind = read_choice<AttentionMaskKind>(object, "kind",
                                             {{"full", AttentionMaskKind::kFull},
                                              {"window", AttentionMaskKind::kWindow},
                                              {"causal", AttentionMaskKind::kCausal}});
  if (mask.kind == AttentionMaskKind::kWindow) mask.window = object.size("size");
  return mask;
}

AttentionSpecification read_attention(const Fields& object) {
  AttentionSpecification attention;
  attention.num_attention_heads = object.size("num_attention_heads");
  attention.head_size = object.size("head_size");
  attention.position = read_attention_position(object.object("position"));
  attention.mask = read_mask(object.object("mask"));
  attention.scale_factor = static_cast<float>(object.number("scale_factor"));
  attention.zero_masked_queries = read_choice<bool>(object, "masked_queries", {{"attend", false}, {"zero", true}});
  const Fields bias = object.object("bias");
  attention.query_key_value_bias = bias.boolean("query_key_value");
  attention.output_bias = bias.boolean("output");
  return attention;
}

MlpSpecification read_mlp(const Fields& object) {
  MlpSpecification mlp;
  mlp.intermediate_size = object.size("intermediate_size");
  mlp.activation = read_activation(object);
  mlp.gated = object.boolean("gated");
  const Fields bias = object.object("bias");
  mlp.up_bias = bias.boolean("up");
  mlp.down_bias = bias.boolean("down");
  return mlp;
}

LayerSpecification read_layer(const Fields& object) {
  LayerSpecification layer;
  layer.norm_placement = read_choice<NormPlacement>(object, "norm_placement",
                                                    {{"post", NormPlacement::kPost}, {"pre", NormPlacement::kPre}});
  layer.attention = read_attention(object.object("attention"));
  layer.attention_norm = read_optional_norm(object, "attention_norm");
  layer.mlp = read_mlp(object.object("mlp"));
  layer.mlp_norm = read_norm(object.object("mlp_norm"));
  layer.parameters = object.size("parameters");
  return layer;
}

RelativePositions read_relative_positions(const Fields& object) {
  RelativePositions relative;
  relative.vectors = read_choice<bool>(object, "kind", {{"bias", false}, {"vectors", true}});
  relative.rows = object.size("rows");
  object.each("row_of", [&](const Napi::Value& value, const auto& path) {
    const uint64_t row = to_size(value, path());
    if (row > std::numeric_limits<uint32_t>::max()) throw_expected(path(), "a row");
    relative.row_of.push_back(static_cast<uint32_t>(row));
  });
  if (relative.vectors) relative.norm = read_optional_norm(object, "norm");
  return relative;
}

ConvolutionSpecification read_convolution(const Fields& object) {
  ConvolutionSpecification convolution;
  convolution.kernel_size = object.size("kernel_size");
  convolution.groups = object.size("groups");
  convolution.activation = read_activation(object);
  convolution.norm = read_norm(object.object("norm"));
  return convolution;
}

HeadStep read_head_step(const Fields& object) {
  HeadStep step;
  step.kind = read_choice<HeadStepKind>(object, "kind",
                                        {{"linear", HeadStepKind::kLinear},
                                         {"word_embeddings", HeadStepKind::kWordEmbeddings},
                                         {"norm", HeadStepKind::kNorm},
                                         {"activation", HeadStepKind::kActivation},
                                         {"normalize", HeadStepKind::kNormalize}});
  switch (step.kind) {
    case HeadStepKind::kLinear:
      step.outputs = object.size("outputs");
      [[fallthrough]];
    case HeadStepKind::kWordEmbeddings:
      step.name = object.utf8("name");
      step.bias = object.boolean("bias");
      break;
    case HeadStepKind::kNorm:
      step.name = object.utf8("name");
      step.norm = read_norm(object.object("norm"));
      break;
    case HeadStepKind::kActivation:
      step.activation = read_activation(object);
      break;
    case HeadStepKind::kNormalize:
      break;
  }
  return step;
}

HeadSpecification read_head(const Fields& object) {
  HeadSpecification head;
  head.name = object.utf8("name");
  const Fields input = object.object("input");
  head.input = read_choice<HeadInputKind>(
      input, "kind",
      {{"tokens", HeadInputKind::kTokens}, {"pooler", HeadInputKind::kPooler}, {"pooled", HeadInputKind::kPooled}});
  if (head.input == HeadInputKind::kPooled) head.modes = read_pooling_modes(input);
  object.each("steps", [&](const Napi::Value& value, const auto& path) {
    head.steps.push_back(read_head_step(Fields(value, path())));
  });
  return head;
}

}  // namespace

EncoderSpecification read_specification(const Fields& object) {
  EncoderSpecification specification;
  specification.hidden_size = object.size("hidden_size");
  specification.embeddings = read_embeddings(object.object("embeddings"));
  object.each("layers", [&](const Napi::Value& value, const auto& path) {
    specification.layers.push_back(read_layer(Fields(value, path())));
  });
  if (!object.is_null("relative_positions")) {
    specification.relative_positions = read_relative_positions(object.object("relative_positions"));
  }
  if (!object.is_null("convolution")) {
    specification.convolution = read_convolution(object.object("convolution"));
  }
  specification.final_norm = read_optional_norm(object, "final_norm");
  if (!object.is_null("pooler")) specification.pooler = read_activation(object.object("pooler"));
  object.each("heads", [&](const Napi::Value& value, const auto& path) {
    specification.heads.push_back(read_head(Fields(value, path())));
  });
  check_specification(specification);
  return specification;
}

std::vector<Pooling> read_pooling_modes(const Fields& object) {
  std::vector<Pooling> modes;
  object.each("modes", [&](const Napi::Value& value, const auto& path) {
    if (!value.IsString()) throw_expected(path(), "a string");
    modes.push_back(choose<Pooling>(value.As<Napi::String>().Utf8Value(), path(),
                                    {{"cls", Pooling::kCls},
                                     {"max", Pooling::kMax},
                                     {"mean", Pooling::kMean},
                                     {"mean_sqrt_len_tokens", Pooling::kMeanSqrtLength},
                                     {"weightedmean", Pooling::kWeightedMean},
                                     {"lasttoken", Pooling::kLastToken}}));
  });
  if (modes.empty()) throw_expected(object.path("modes"), "at least one");
  return modes;
}

}  // namespace bert_native
