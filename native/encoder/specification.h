#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/activation.h"

namespace bert_native {

// What an encoder computes, whatever family it came from. lib/engines/specification.ts is the same in TypeScript and
// documents each field; a model family maps its configuration to this, and engines know nothing else.

enum class PositionEmbedding { kNone, kAbsolute };
enum class AttentionPosition { kNone, kRelativeKey, kRelativeKeyQuery };  // Shaw et al. 2018; Huang et al. 2020
enum class AttentionMaskKind { kFull, kWindow, kCausal };

// Which keys a query sees by their distance. Positions are columns of the request, padding included.
struct AttentionMask {
  AttentionMaskKind kind = AttentionMaskKind::kFull;
  size_t window = 0;  // of kWindow: a query at p sees the keys from p - window / 2 to p + window / 2

  friend bool operator==(const AttentionMask&, const AttentionMask&) = default;
};

struct EmbeddingsSpecification {
  size_t vocab_size = 0;
  PositionEmbedding position = PositionEmbedding::kAbsolute;
  size_t max_position_embeddings = 0;
  size_t type_vocab_size = 0;
  float layer_norm_eps = 0;
};

struct LayerSpecification {
  size_t num_attention_heads = 0;
  size_t head_size = 0;
  AttentionPosition attention_position = AttentionPosition::kNone;
  size_t intermediate_size = 0;
  Activation activation = Activation::kGeluErf;
  float layer_norm_eps = 0;
  AttentionMask mask;
};

struct EncoderSpecification {
  size_t hidden_size = 0;
  EmbeddingsSpecification embeddings;
  std::vector<LayerSpecification> layers;
  bool pooler = false;  // tanh(W h₀ + b) over the first position
};

// One parameter tensor of the encoder: `name` as in lib/engines/parameters.ts, shape row-major.
struct Parameter {
  std::string name;
  std::vector<size_t> shape;
};

// Every parameter that the specification needs, in a fixed order.
std::vector<Parameter> encoder_parameters(const EncoderSpecification& specification);

// Throws kConfig where sizes are zero or far beyond any encoder there is.
void check_specification(const EncoderSpecification& specification);

}  // namespace bert_native
