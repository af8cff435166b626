#include "onnxruntime/graph_values.h"

#include <algorithm>
#include <utility>

#include "common/errors.h"

namespace bert_native {

namespace {

std::string list_names(const std::vector<GraphValue>& values) {
  std::string names;
  for (const GraphValue& value : values) names += (names.empty() ? "" : ", ") + value.name;
  return names.empty() ? "none" : names;
}

template <typename Wanted>
bool any_sequence(const std::vector<Sequence>& sequences, const Wanted& wanted) {
  return std::any_of(sequences.begin(), sequences.end(), wanted);
}

std::string head_name(const EncoderSpecification& specification, size_t head) {
  return "the head '" + specification.heads[head].name + "'";
}

// Finds what a call needs of a graph.
class Resolver {
 public:
  Resolver(const GraphEncoder& encoder, const std::vector<Sequence>& sequences)
      : encoder_(encoder), binding_(encoder.binding), sequences_(sequences) {}

  GraphValues resolve() {
    add_inputs();
    add_states();
    add_layers();
    add_heads();
    return std::move(values_);
  }

 private:
  void add_inputs() {
    const std::pair<const std::string&, GraphInputKind> known[] = {
        {binding_.input_ids, GraphInputKind::kInputIds},
        {binding_.attention_mask, GraphInputKind::kAttentionMask},
        {binding_.token_type_ids, GraphInputKind::kTokenTypeIds},
        {binding_.position_ids, GraphInputKind::kPositionIds},
        {binding_.inputs_embeds, GraphInputKind::kInputsEmbeds},
    };
    const std::vector<GraphValue>& inputs = encoder_.session->inputs();
    for (size_t value = 0; value < inputs.size(); ++value) {
      const auto is_it = [&](const auto& entry) { return entry.first == inputs[value].name; };
      const auto found = std::find_if(std::begin(known), std::end(known), is_it);
      if (found != std::end(known)) values_.inputs.push_back({found->second, value, inputs[value].type});
    }
    check_given();
  }

  void check_given() const {
    const auto refuse = [&](const char* what) {
      throw Error(ErrorCode::kOption, std::string("the graph takes no ") + what + ": its inputs are " +
                                          list_names(encoder_.session->inputs()));
    };
    const bool embeds = any_sequence(
        sequences_, [](const Sequence& sequence) { return sequence.length > 0 && sequence.inputs_embeds != nullptr; });
    const bool ids = any_sequence(
        sequences_, [](const Sequence& sequence) { return sequence.length > 0 && sequence.inputs_embeds == nullptr; });
    const bool positions =
        any_sequence(sequences_, [](const Sequence& sequence) { return sequence.position_ids != nullptr; });
    const bool takes_ids = values_.has_input(GraphInputKind::kInputIds);
    const bool takes_embeds = values_.has_input(GraphInputKind::kInputsEmbeds);
    if (ids && !takes_ids) refuse("input_ids");
    if (embeds && !takes_embeds) refuse("inputs_embeds");
    if (positions && !values_.has_input(GraphInputKind::kPositionIds)) refuse("position_ids");
    if (takes_ids && takes_embeds && (ids || embeds)) {
      throw Error(ErrorCode::kUnsupportedModel, "the graph takes input_ids and inputs_embeds at once: expected one");
    }
  }

  void add_states() {
    const size_t H = encoder_.specification.hidden_size;
    const bool pooled = any_sequence(sequences_, [](const Sequence& sequence) { return sequence.pooled != nullptr; });
    const bool states =
        any_sequence(sequences_, [](const Sequence& sequence) { return sequence.last_hidden_state != nullptr; });
    if (states || pooled) {
      const size_t output = add_output(binding_.last_hidden_state, "last_hidden_state", GraphLayout::kPositions, H);
      if (pooled) values_.last_hidden_state = static_cast<int>(output);
      if (states) values_.uses.push_back({GraphUse::Kind::kLastHiddenState, 0, output, -1, H});
    }
    if (any_sequence(sequences_, [](const Sequence& sequence) { return sequence.pooler_output != nullptr; })) {
      const size_t output = add_output(binding_.pooler_output, "pooler_output", GraphLayout::kRows, H);
      values_.uses.push_back({GraphUse::Kind::kPoolerOutput, 0, output, -1, H});
    }
  }

  void add_layers() {
    const size_t H = encoder_.specification.hidden_size;
    add_list(binding_.hidden_states, "hidden_states", &Sequence::hidden_states, GraphUse::Kind::kHiddenState,
             GraphLayout::kPositions, [&](size_t) { return H; });
    add_list(binding_.attentions, "attentions", &Sequence::attentions, GraphUse::Kind::kAttention,
             GraphLayout::kAttention, [&](size_t layer) { return graph_attention_heads(encoder_, layer); });
  }

  template <typename Width>
  void add_list(const std::vector<std::string>& names, const char* what, std::vector<float*> Sequence::*wanted,
                GraphUse::Kind kind, GraphLayout layout, const Width& width) {
    const auto wants = [&](const Sequence& sequence) { return !(sequence.*wanted).empty(); };
    if (!any_sequence(sequences_, wants)) return;
    if (names.empty()) throw_no_output(encoder_, what);
    for (const Sequence& sequence : sequences_) {
      if ((sequence.*wanted).empty() || (sequence.*wanted).size() == names.size()) continue;
      throw Error(ErrorCode::kShape, "the call asks for " + std::to_string((sequence.*wanted).size()) + " " + what +
                                         ": the graph has " + std::to_string(names.size()));
    }
    for (size_t layer = 0; layer < names.size(); ++layer) {
      const size_t output = add_output(names[layer], what, layout, width(layer));
      values_.uses.push_back({kind, layer, output, -1, values_.outputs[output].width});
    }
  }

  void add_heads() {
    const std::vector<HeadSpecification>& heads = encoder_.specification.heads;
    for (size_t head = 0; head < heads.size(); ++head) {
      const auto wants = [&](const Sequence& sequence) {
        return !sequence.heads.empty() && sequence.heads[head] != nullptr;
      };
      if (!any_sequence(sequences_, wants)) continue;
      const std::string what = head_name(encoder_.specification, head);
      if (head >= binding_.heads.size() || binding_.heads[head].empty()) throw_no_output(encoder_, what);
      const size_t width = head_width(heads[head], encoder_.specification);
      const GraphLayout layout =
          heads[head].input == HeadInputKind::kTokens ? GraphLayout::kPositions : GraphLayout::kRows;
      for (const auto& [name, column] : binding_.heads[head]) {
        const size_t output = add_output(name, what, layout, column < 0 ? width : 1);
        values_.uses.push_back({GraphUse::Kind::kHead, head, output, column, width});
      }
    }
  }

  size_t add_output(const std::string& name, const std::string& what, GraphLayout layout, size_t width) {
    const std::vector<GraphValue>& declared = encoder_.session->outputs();
    const auto found =
        std::find_if(declared.begin(), declared.end(), [&](const GraphValue& value) { return value.name == name; });
    if (name.empty() || found == declared.end()) throw_no_output(encoder_, what);
    const size_t value = static_cast<size_t>(found - declared.begin());
    for (size_t known = 0; known < values_.outputs.size(); ++known) {
      const GraphOutput& output = values_.outputs[known];
      if (output.value == value && output.layout == layout && output.width == width) return known;
      if (output.value != value) continue;
      throw Error(ErrorCode::kOption, "the graph's output '" + name + "' cannot be " + what + " and another result");
    }
    values_.outputs.push_back({value, found->type, layout, width, found->shape.size()});
    return values_.outputs.size() - 1;
  }

  const GraphEncoder& encoder_;
  const GraphBinding& binding_;
  const std::vector<Sequence>& sequences_;
  GraphValues values_;
};

}  // namespace

std::vector<int64_t> GraphOutput::shape(size_t rows, size_t columns) const {
  const auto B = static_cast<int64_t>(rows), S = static_cast<int64_t>(columns), W = static_cast<int64_t>(width);
  if (layout == GraphLayout::kAttention) return {B, W, S, S};
  std::vector<int64_t> shape =
      layout == GraphLayout::kRows ? std::vector<int64_t>{B, W} : std::vector<int64_t>{B, S, W};
  if (W == 1 && rank + 1 == shape.size()) shape.pop_back();
  return shape;
}

float* GraphUse::destination(const Sequence& sequence) const {
  switch (kind) {
    case Kind::kLastHiddenState:
      return sequence.last_hidden_state;
    case Kind::kPoolerOutput:
      return sequence.pooler_output;
    case Kind::kHiddenState:
      return sequence.hidden_states.empty() ? nullptr : sequence.hidden_states[index];
    case Kind::kAttention:
      return sequence.attentions.empty() ? nullptr : sequence.attentions[index];
    case Kind::kHead:
      return sequence.heads.empty() ? nullptr : sequence.heads[index];
  }
  return nullptr;
}

bool GraphValues::has_input(GraphInputKind kind) const {
  return std::any_of(inputs.begin(), inputs.end(), [&](const GraphInput& input) { return input.kind == kind; });
}

GraphValues graph_values(const GraphEncoder& encoder, const std::vector<Sequence>& sequences) {
  return Resolver(encoder, sequences).resolve();
}

void throw_no_output(const GraphEncoder& encoder, const std::string& name) {
  throw Error(ErrorCode::kOption,
              "the graph has no output for " + name + ": its outputs are " + list_names(encoder.session->outputs()));
}

size_t graph_attention_heads(const GraphEncoder& encoder, size_t layer) {
  const std::string& name = encoder.binding.attentions.at(layer);
  for (const GraphValue& value : encoder.session->outputs()) {
    if (value.name == name && value.shape.size() == 4 && value.shape[1] > 0) return static_cast<size_t>(value.shape[1]);
  }
  const std::vector<LayerSpecification>& layers = encoder.specification.layers;
  if (layer < layers.size()) return layers[layer].attention.num_attention_heads;
  throw Error(ErrorCode::kUnsupportedModel,
              "the graph's output '" + name + "' does not say how many heads its layer's attention has");
}

}  // namespace bert_native
