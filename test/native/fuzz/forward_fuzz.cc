// Specifications of any kind, and requests with any ids, masks, positions and outputs: both are refused, or computed.

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/errors.h"
#include "cpu/encoder.h"
#include "encoder/plan.h"
#include "fuzz/fuzz_target.h"
#include "kernels/kernel_table.h"

namespace bert_native::fuzz {

namespace {

constexpr size_t kMostParameters = size_t{1} << 15;  // of an encoder that is run
constexpr size_t kMostNumbers = size_t{1} << 16;     // of one output

NormSpecification make_norm(FuzzInput& input) {
  const float eps = input.below(16) == 0 ? input.take<float>() : 1e-5f;
  return {eps, input.flag()};
}

std::optional<NormSpecification> maybe_norm(FuzzInput& input) {
  if (input.flag()) return std::nullopt;
  return make_norm(input);
}

Activation make_activation(FuzzInput& input) { return static_cast<Activation>(input.below(6)); }

LayerSpecification make_layer(FuzzInput& input, size_t number, size_t hidden_size) {
  LayerSpecification layer;
  AttentionSpecification& attention = layer.attention;
  layer.norm_placement = input.flag() ? NormPlacement::kPre : NormPlacement::kPost;
  attention.num_attention_heads = input.length(3);
  attention.head_size = input.length(8);
  attention.position.kind = static_cast<AttentionPositionKind>(input.below(6));
  if (input.flag())
    attention.position.inverse_frequencies.assign(attention.head_size < 64 ? attention.head_size / 2 : 0, 0.5f);
  attention.position.neighbours = input.flag();
  attention.position.to_key = input.flag();
  attention.position.to_query = input.flag();
  attention.position.shared_projections = input.flag();
  attention.mask.kind = static_cast<AttentionMaskKind>(input.below(3));
  attention.mask.window = input.length(6);
  attention.scale_factor = input.below(16) == 0 ? input.take<float>() : 1;
  attention.zero_masked_queries = input.flag();
  attention.query_key_value_bias = input.flag();
  attention.output_bias = input.flag();
  layer.attention_norm = maybe_norm(input);
  layer.mlp.intermediate_size = input.below(4) == 0 ? input.length(40) : hidden_size;
  layer.mlp.activation = make_activation(input);
  layer.mlp.gated = input.flag();
  layer.mlp_norm = make_norm(input);
  layer.parameters = input.below(8) == 0 ? input.length(4) : number;
  return layer;
}

HeadSpecification make_head(FuzzInput& input, size_t number) {
  HeadSpecification head;
  head.name = "head" + std::to_string(number);
  head.input = static_cast<HeadInputKind>(input.below(3));
  if (head.input == HeadInputKind::kPooled) head.modes = {static_cast<Pooling>(input.below(6))};
  for (size_t steps = input.below(4); steps > 0; --steps) {
    HeadStep step;
    step.kind = static_cast<HeadStepKind>(input.below(5));
    step.name = head.name + "_" + std::to_string(steps);
    step.outputs = input.length(9);
    step.bias = input.flag();
    step.norm = make_norm(input);
    head.steps.push_back(step);
  }
  return head;
}

EncoderSpecification make_specification(FuzzInput& input) {
  EncoderSpecification specification;
  specification.hidden_size = input.length(24);
  EmbeddingsSpecification& embeddings = specification.embeddings;
  embeddings.vocab_size = input.length(40);
  embeddings.embedding_size = input.below(4) == 0 ? input.length(24) : specification.hidden_size;
  embeddings.position = input.flag() ? PositionEmbedding::kAbsolute : PositionEmbedding::kNone;
  embeddings.max_position_embeddings = input.length(40);
  if (input.below(4) == 0) embeddings.position_padding_id = input.number();
  embeddings.type_vocab_size = input.length(3);
  embeddings.norm = make_norm(input);
  embeddings.projection = static_cast<ProjectionPlacement>(input.below(8) == 0 ? input.below(3) : 0);
  embeddings.zero_masked = input.flag();
  for (size_t layers = input.below(4), i = 0; i < layers; ++i) {
    specification.layers.push_back(make_layer(input, i, specification.hidden_size));
  }
  if (input.below(3) == 0) {
    const size_t count = embeddings.max_position_embeddings;
    RelativePositions relative{input.flag(), input.length(8), {}, maybe_norm(input)};
    if (count > 0 && count < 64)
      relative.row_of.assign(2 * count - (input.below(8) == 0 ? 0 : 1), static_cast<uint32_t>(input.below(8)));
    specification.relative_positions = relative;
  }
  if (input.below(4) == 0) {
    specification.convolution =
        ConvolutionSpecification{input.length(5), input.length(3), make_activation(input), make_norm(input)};
  }
  specification.final_norm = maybe_norm(input);
  if (input.flag()) specification.pooler = make_activation(input);
  for (size_t heads = input.below(3), i = 0; i < heads; ++i) specification.heads.push_back(make_head(input, i));
  return specification;
}

struct Row {
  std::vector<int32_t> ids, types, positions, head_positions;
  std::vector<uint8_t> mask;
  std::vector<float> embeddings;
  std::map<std::string, std::vector<float>> outputs;
  Sequence sequence;
};

float* output(Row& row, const std::string& name, size_t size) {
  std::vector<float>& values = row.outputs[name];
  values.assign(size <= kMostNumbers ? size : 0, NAN);
  return values.data();
}

void make_row(FuzzInput& input, const EncoderSpecification& specification, const OutputOptions& options, Row& row) {
  Sequence& sequence = row.sequence;
  const size_t length = input.below(20);
  sequence.length = length;
  sequence.options = options;
  const auto id = [&](size_t limit) {
    if (input.below(24) == 0) return input.number();
    return static_cast<int32_t>(input.below(std::max<size_t>(1, std::min<size_t>(limit, 255))));
  };
  const EmbeddingsSpecification& embeddings = specification.embeddings;
  for (size_t i = 0; i < length; ++i) row.ids.push_back(id(embeddings.vocab_size));
  sequence.input_ids = row.ids.data();
  const auto bits = input.take<uint16_t>();
  if ((bits & 1) != 0) {
    for (size_t i = 0; i < length; ++i) row.types.push_back(id(embeddings.type_vocab_size));
    sequence.token_type_ids = row.types.data();
  }
  if ((bits & 2) != 0) {
    for (size_t i = 0; i < length; ++i) row.positions.push_back(id(embeddings.max_position_embeddings));
    sequence.position_ids = row.positions.data();
  }
  if ((bits & 4) != 0) {
    for (size_t i = 0; i < length; ++i) row.mask.push_back(input.below(3) == 0 ? 0 : input.take<uint8_t>());
    sequence.attention_mask = row.mask.data();
  }
  if ((bits & 8) != 0) {
    row.embeddings.assign(length * embeddings.embedding_size, 0.25f);
    sequence.inputs_embeds = row.embeddings.data();
    sequence.input_ids = nullptr;
  }
  const size_t hidden = specification.hidden_size;
  if ((bits & 16) != 0) sequence.last_hidden_state = output(row, "last", length * hidden);
  if ((bits & 32) != 0 && (specification.pooler || input.below(8) == 0))
    sequence.pooler_output = output(row, "pooler", hidden);
  if ((bits & 64) != 0) sequence.pooled = output(row, "pooled", options.pooling.size() * hidden);
  if ((bits & 128) != 0) {
    const size_t states = specification.layers.size() + (input.below(16) == 0 ? 0 : 1);
    for (size_t i = 0; i < states; ++i)
      sequence.hidden_states.push_back(output(row, "state" + std::to_string(i), length * hidden));
  }
  if ((bits & 256) != 0) {
    for (size_t i = 0; i < specification.layers.size(); ++i) {
      const size_t heads = specification.layers[i].attention.num_attention_heads;
      sequence.attentions.push_back(output(row, "attention" + std::to_string(i), heads * length * length));
    }
  }
  if ((bits & 512) == 0 || specification.heads.empty()) return;
  for (size_t i = 0; i < length; ++i) {
    if (input.below(3) == 0)
      row.head_positions.push_back(input.below(24) == 0 ? input.number() : static_cast<int32_t>(i));
  }
  if ((bits & 1024) != 0) {
    sequence.head_positions = row.head_positions.data();
    sequence.head_position_count = row.head_positions.size();
  }
  for (const HeadSpecification& head : specification.heads) {
    const size_t rows = head.input == HeadInputKind::kTokens ? std::max(length, row.head_positions.size()) : 1;
    sequence.heads.push_back(output(row, head.name, rows * head_width(head, specification)));
  }
}

bool is_small(const EncoderSpecification& specification) {
  if (specification.embeddings.max_position_embeddings > 64) return false;
  size_t all = 0;
  for (const Parameter& parameter : encoder_parameters(specification)) {
    size_t count = 1;
    for (const size_t size : parameter.shape) {
      if (size > kMostParameters) return false;
      count *= size;
      if (count > kMostParameters) return false;
    }
    all += count;
  }
  return all <= kMostParameters;
}

}  // namespace

static void run_forward(FuzzInput& input) {
  const EncoderSpecification specification = make_specification(input);
  try {
    check_specification(specification);
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kConfig, error.what());
    return;
  }
  if (!is_small(specification)) return;
  ParameterSources sources;
  for (const Parameter& parameter : encoder_parameters(specification)) {
    sources[parameter.name] = {parameter.shape, NormalInit{sources.size(), 0.3, -1}};
  }
  static ThreadPool pool(1);
  static Workspace workspace;
  const std::vector<Isa> isas = available_isas();
  const KernelTable& kernels = *kernel_table(isas[input.below(isas.size())]);
  const auto encoder = CpuEncoder::load(specification, sources, static_cast<MatrixType>(input.below(6)), kernels, pool);
  OutputOptions options;
  options.compute_masked_positions = input.flag();
  options.pooling = {static_cast<Pooling>(input.below(6)), static_cast<Pooling>(input.below(6))};
  options.pooling_skip = input.length(3);
  options.normalize = input.flag();
  std::vector<Row> rows(1 + input.below(4));
  std::vector<Sequence> sequences;
  for (Row& row : rows) {
    make_row(input, specification, options, row);
    sequences.push_back(row.sequence);
  }
  try {
    check_batch(specification, sequences);
  } catch (const Error& error) {
    const ErrorCode code = error.code();
    require(code == ErrorCode::kTokenId || code == ErrorCode::kSequenceTooLong || code == ErrorCode::kShape,
            error.what());
    return;
  }
  std::vector<const Sequence*> block;
  for (const Sequence& sequence : sequences) block.push_back(&sequence);
  PassControl control;
  encoder->run_block(block, pool, control, workspace);
}

BN_FUZZ_TARGET(forward, run_forward)

}  // namespace bert_native::fuzz
