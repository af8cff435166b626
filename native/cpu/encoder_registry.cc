#include "cpu/encoder_registry.h"

#include "common/key_writer.h"
#include "common/load_registry.h"

namespace bert_native {

namespace {

void add_norm(KeyWriter& key, const std::optional<NormSpecification>& norm) {
  key.add(norm.has_value());
  if (!norm) return;
  key.add_float(norm->eps);
  key.add(norm->bias);
}

template <typename Number>
void add_all(KeyWriter& key, const std::vector<Number>& numbers) {
  key.add(numbers.size());
  for (const Number number : numbers) key.add(number);
}

void add_embeddings(KeyWriter& key, const EmbeddingsSpecification& embeddings) {
  key.add(embeddings.vocab_size);
  key.add(embeddings.embedding_size);
  key.add(static_cast<int>(embeddings.position));
  key.add(embeddings.max_position_embeddings);
  key.add(embeddings.position_padding_id.value_or(-1));
  key.add(embeddings.type_vocab_size);
  add_norm(key, embeddings.norm);
  key.add(static_cast<int>(embeddings.projection));
  key.add(embeddings.projection_bias);
  key.add(embeddings.zero_masked);
}

void add_attention(KeyWriter& key, const AttentionSpecification& attention) {
  const AttentionPosition& position = attention.position;
  key.add(attention.num_attention_heads);
  key.add(attention.head_size);
  key.add(static_cast<int>(position.kind));
  key.add(position.inverse_frequencies.size());
  for (const float frequency : position.inverse_frequencies) key.add_float(frequency);
  key.add(position.neighbours);
  key.add(position.to_key);
  key.add(position.to_query);
  key.add(position.shared_projections);
  key.add(static_cast<int>(attention.mask.kind));
  key.add(attention.mask.window);
  key.add_float(attention.scale_factor);
  key.add(attention.zero_masked_queries);
  key.add(attention.query_key_value_bias);
  key.add(attention.output_bias);
}

void add_layer(KeyWriter& key, const LayerSpecification& layer) {
  key.add(static_cast<int>(layer.norm_placement));
  add_attention(key, layer.attention);
  add_norm(key, layer.attention_norm);
  key.add(layer.mlp.intermediate_size);
  key.add(static_cast<int>(layer.mlp.activation));
  key.add(layer.mlp.gated);
  key.add(layer.mlp.up_bias);
  key.add(layer.mlp.down_bias);
  add_norm(key, layer.mlp_norm);
  key.add(layer.parameters);
}

void add_head(KeyWriter& key, const HeadSpecification& head) {
  key.add_text(head.name);
  key.add(static_cast<int>(head.input));
  key.add(head.modes.size());
  for (const Pooling mode : head.modes) key.add(static_cast<int>(mode));
  key.add(head.steps.size());
  for (const HeadStep& step : head.steps) {
    key.add(static_cast<int>(step.kind));
    key.add_text(step.name);
    key.add(step.outputs);
    key.add(step.bias);
    add_norm(key, step.norm);
    key.add(static_cast<int>(step.activation));
  }
}

void add_specification(KeyWriter& key, const EncoderSpecification& specification) {
  key.add(specification.hidden_size);
  add_embeddings(key, specification.embeddings);
  key.add(specification.layers.size());
  for (const LayerSpecification& layer : specification.layers) add_layer(key, layer);
  key.add(specification.relative_positions.has_value());
  if (const auto& relative = specification.relative_positions) {
    key.add(relative->vectors);
    key.add(relative->rows);
    add_all(key, relative->row_of);
    add_norm(key, relative->norm);
  }
  key.add(specification.convolution.has_value());
  if (const auto& convolution = specification.convolution) {
    key.add(convolution->kernel_size);
    key.add(convolution->groups);
    key.add(static_cast<int>(convolution->activation));
    add_norm(key, convolution->norm);
  }
  add_norm(key, specification.final_norm);
  key.add(specification.pooler ? static_cast<int>(*specification.pooler) : -1);
  key.add(specification.heads.size());
  for (const HeadSpecification& head : specification.heads) add_head(key, head);
}

struct AddValues {
  KeyWriter& key;

  void operator()(const FileSpan& span) const {
    // Some file systems give an inode to another file later, and an image may stamp all its files with one time.
    key.add_text(span.path);
    key.add(span.identity.device);
    key.add(span.identity.inode);
    key.add(span.identity.size_bytes);
    key.add(span.identity.modified_ns);
    key.add(span.identity.changed_ns);
    key.add(span.byte_offset);
    key.add(static_cast<int>(span.dtype));
    for (const uint64_t stride : span.strides) key.add(stride);
  }
  void operator()(const NormalInit& init) const {
    key.add(init.seed);
    key.add_float(init.std);
    key.add(init.zero_row);
  }
  void operator()(const ConstantInit& init) const { key.add_float(init.value); }
  void operator()(const std::vector<float>&) const {}
};

}  // namespace

std::string encoder_key(const EncoderSpecification& specification, const ParameterSources& sources, MatrixType type,
                        Isa isa) {
  KeyWriter key;
  key.add(static_cast<int>(isa));
  key.add(static_cast<int>(type));
  add_specification(key, specification);
  for (const auto& [name, source] : sources) {
    if (std::holds_alternative<std::vector<float>>(source.values)) return "";
    key.add_text(name);
    key.add(source.values.index());
    for (const size_t size : source.shape) key.add(size);
    std::visit(AddValues{key}, source.values);
  }
  return key.take();
}

std::shared_ptr<const CpuEncoder> acquire_encoder(const std::string& key,
                                                  const std::function<std::unique_ptr<CpuEncoder>()>& load) {
  static auto* const encoders = new LoadRegistry<CpuEncoder>();
  return encoders->acquire(key, load);
}

}  // namespace bert_native
