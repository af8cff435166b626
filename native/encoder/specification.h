#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/activation.h"

namespace bert_native {

// What an encoder computes, whatever family it came from. lib/engines/specification.ts is the same in TypeScript and
// documents each field; a model family maps its configuration to this, and engines know nothing else.

enum class PositionEmbedding { kNone, kAbsolute };
// Shaw et al. 2018; Huang et al. 2020; Su et al. 2021; Raffel et al. 2020; He et al. 2020.
enum class AttentionPositionKind { kNone, kRelativeKey, kRelativeKeyQuery, kRotary, kBias, kDisentangled };
enum class AttentionMaskKind { kFull, kWindow, kCausal };
enum class NormPlacement { kPost, kPre };
enum class ProjectionPlacement { kNone, kBeforeNorm, kAfterNorm };

// Which keys a query sees by their distance. Positions are columns of the request, padding included.
struct AttentionMask {
  AttentionMaskKind kind = AttentionMaskKind::kFull;
  size_t window = 0;  // of kWindow: a query at p sees the keys from p - window / 2 to p + window / 2

  friend bool operator==(const AttentionMask&, const AttentionMask&) = default;
};

struct NormSpecification {
  float eps = 0;
  bool bias = true;
};

struct EmbeddingsSpecification {
  size_t vocab_size = 0;
  size_t embedding_size = 0;
  PositionEmbedding position = PositionEmbedding::kAbsolute;
  size_t max_position_embeddings = 0;
  std::optional<int32_t> position_padding_id;
  size_t type_vocab_size = 0;
  NormSpecification norm;
  ProjectionPlacement projection = ProjectionPlacement::kNone;
  bool projection_bias = true;
  bool zero_masked = false;
};

struct AttentionPosition {
  AttentionPositionKind kind = AttentionPositionKind::kNone;
  std::vector<float> inverse_frequencies;  // of kRotary
  bool neighbours = false;                 // of kRotary: columns 2i and 2i + 1 are a pair, else i and i + R
  // of kDisentangled
  bool to_key = false, to_query = false, shared_projections = true;
};

struct AttentionSpecification {
  size_t num_attention_heads = 0;
  size_t head_size = 0;
  AttentionPosition position;
  AttentionMask mask;
  float scale_factor = 1;
  bool zero_masked_queries = false;
  bool query_key_value_bias = true, output_bias = true;

  size_t width() const { return num_attention_heads * head_size; }
};

struct MlpSpecification {
  size_t intermediate_size = 0;
  Activation activation = Activation::kGeluErf;
  bool gated = false;
  bool up_bias = true, down_bias = true;
};

struct LayerSpecification {
  NormPlacement norm_placement = NormPlacement::kPost;
  AttentionSpecification attention;
  std::optional<NormSpecification> attention_norm = NormSpecification{};
  MlpSpecification mlp;
  NormSpecification mlp_norm;
  size_t parameters = 0;
};

struct RelativePositions {
  bool vectors = false;  // [rows, H]; else [rows, A]
  size_t rows = 0;
  std::vector<uint32_t> row_of;  // 2N - 1: entry l - r + N - 1
  std::optional<NormSpecification> norm;
};

struct ConvolutionSpecification {
  size_t kernel_size = 0;
  size_t groups = 1;
  Activation activation = Activation::kTanh;
  NormSpecification norm;
};

// How one vector is made of a sequence's states; lib/engines/specification.ts says what each is.
enum class Pooling { kCls, kMax, kMean, kMeanSqrtLength, kWeightedMean, kLastToken };

enum class HeadInputKind { kTokens, kPooler, kPooled };
enum class HeadStepKind { kLinear, kWordEmbeddings, kNorm, kActivation, kNormalize };

struct HeadStep {
  HeadStepKind kind = HeadStepKind::kLinear;
  std::string name;    // of kLinear, kWordEmbeddings, kNorm
  size_t outputs = 0;  // of kLinear
  bool bias = true;    // of kLinear, kWordEmbeddings
  NormSpecification norm;
  Activation activation = Activation::kTanh;
};

struct HeadSpecification {
  std::string name;
  HeadInputKind input = HeadInputKind::kTokens;
  std::vector<Pooling> modes;  // of kPooled
  std::vector<HeadStep> steps;
};

struct EncoderSpecification {
  size_t hidden_size = 0;
  EmbeddingsSpecification embeddings;
  std::vector<LayerSpecification> layers;
  std::optional<RelativePositions> relative_positions;
  std::optional<ConvolutionSpecification> convolution;
  std::optional<NormSpecification> final_norm;
  std::optional<Activation> pooler;  // activation(W h₀ + b) over the first position
  std::vector<HeadSpecification> heads;

  size_t longest_sequence() const;
};

// One parameter tensor of the encoder: `name` as in lib/engines/parameters.ts, shape row-major.
struct Parameter {
  std::string name;
  std::vector<size_t> shape;
};

// Every parameter that the specification needs, in a fixed order.
std::vector<Parameter> encoder_parameters(const EncoderSpecification& specification);

// Numbers that a head takes and gives for each of its input's rows.
size_t head_input_width(const HeadSpecification& head, const EncoderSpecification& specification);
size_t head_width(const HeadSpecification& head, const EncoderSpecification& specification);

// Throws kConfig where sizes are zero or far beyond any encoder there is, or parts do not fit together.
void check_specification(const EncoderSpecification& specification);

}  // namespace bert_native
