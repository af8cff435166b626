#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "encoder/batch.h"
#include "onnxruntime/graph_encoder.h"

namespace bert_native {

enum class GraphInputKind { kInputIds, kAttentionMask, kTokenTypeIds, kPositionIds, kInputsEmbeds };

struct GraphInput {
  GraphInputKind kind;
  size_t value;  // index into the session's inputs
  GraphType type;
};

// How an output lies: numbers for each position [B,S,W], for each row [B,W], or probabilities [B,W,S,S].
enum class GraphLayout { kPositions, kRows, kAttention };

struct GraphOutput {
  size_t value;  // index into the session's outputs
  GraphType type;
  GraphLayout layout;
  size_t width;  // W
  size_t rank;   // as declared: a W of 1 may be left out

  size_t row_size(size_t columns) const {
    return layout == GraphLayout::kRows ? width : width * columns * (layout == GraphLayout::kAttention ? columns : 1);
  }
  std::vector<int64_t> shape(size_t rows, size_t columns) const;
};

// What of a sequence's results an output of the graph is.
struct GraphUse {
  enum class Kind { kLastHiddenState, kPoolerOutput, kHiddenState, kAttention, kHead };
  Kind kind;
  size_t index;   // of the layer or head
  size_t output;  // index into GraphValues::outputs
  int column;     // of the head; -1: all
  size_t stride;  // numbers of the head; else W

  // Where it goes; null where the sequence does not want it.
  float* destination(const Sequence& sequence) const;
};

// What of a graph a call needs.
struct GraphValues {
  std::vector<GraphInput> inputs;
  std::vector<GraphOutput> outputs;  // each of the graph's once
  std::vector<GraphUse> uses;
  int last_hidden_state = -1;  // index into `outputs` where vectors are pooled from it; else -1

  bool has_input(GraphInputKind kind) const;
};

// Of an encoder that check_graph_encoder() has seen. Throws kOption, naming what is missing, where the sequences give
// what the graph does not take, or want what it does not give; kShape for another number of layers.
GraphValues graph_values(const GraphEncoder& encoder, const std::vector<Sequence>& sequences);

// Throws kOption: the graph has no such output, but those.
[[noreturn]] void throw_no_output(const GraphEncoder& encoder, const std::string& name);

// Heads of a layer's attention, as the graph declares them, or the specification. Throws kUnsupportedModel where
// neither says.
size_t graph_attention_heads(const GraphEncoder& encoder, size_t layer);

}  // namespace bert_native
