#include "onnxruntime/graph_encoder.h"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "common/errors.h"

namespace bert_native {

namespace {

constexpr int64_t kAny = -1;

std::string joined(const std::vector<GraphValue>& values) {
  std::string names;
  for (const GraphValue& value : values) names += (names.empty() ? "" : ", ") + value.name;
  return names.empty() ? "none" : names;
}

std::string text_of(const std::vector<int64_t>& shape) {
  std::string text;
  for (const int64_t length : shape) text += (text.empty() ? "" : ", ") + (length < 0 ? "any" : std::to_string(length));
  return "[" + text + "]";
}

const GraphValue& find(const std::vector<GraphValue>& values, const std::string& name, const char* kind) {
  for (const GraphValue& value : values) {
    if (value.name == name) return value;
  }
  throw Error(ErrorCode::kFileFormat,
              "the graph has no " + std::string(kind) + " '" + name + "'; it has " + joined(values));
}

void check_type(const GraphValue& value, const char* kind, std::initializer_list<GraphType> types,
                const char* expected) {
  if (std::find(types.begin(), types.end(), value.type) != types.end()) return;
  throw Error(ErrorCode::kUnsupportedModel, "the graph's " + std::string(kind) + " '" + value.name +
                                                "' is of another type than " + expected +
                                                ", which is exchanged with it");
}

// A graph may leave a shape open, or a length of it.
void check_shape(const GraphValue& value, const char* kind, const std::vector<int64_t>& expected) {
  if (value.shape.empty()) return;
  bool fits = value.shape.size() == expected.size();
  for (size_t i = 0; fits && i < expected.size(); i++) {
    fits = value.shape[i] < 0 || expected[i] == kAny || value.shape[i] == expected[i];
  }
  if (fits) return;
  throw Error(ErrorCode::kUnsupportedModel, "the graph's " + std::string(kind) + " '" + value.name +
                                                "' has the shape " + text_of(value.shape) + "; expected " +
                                                text_of(expected));
}

class InputCheck {
 public:
  explicit InputCheck(const GraphEncoder& encoder) : encoder_(encoder) {
    const GraphBinding& binding = encoder.binding;
    positions_ = {length(binding.fixed_rows)};
    if (binding.has_choices) positions_.push_back(1);
    positions_.push_back(length(binding.fixed_columns));
  }

  void run() {
    const GraphBinding& binding = encoder_.binding;
    for (const std::string* const name : {&binding.input_ids, &binding.token_type_ids, &binding.position_ids}) {
      check(*name, {GraphType::kInt64, GraphType::kInt32}, "int64 or int32", positions_);
    }
    check(binding.attention_mask,
          {GraphType::kInt64, GraphType::kInt32, GraphType::kBool, GraphType::kF32, GraphType::kF16},
          "int64, int32, bool, float or float16", positions_);
    std::vector<int64_t> embeddings = positions_;
    embeddings.push_back(static_cast<int64_t>(encoder_.specification.embeddings.embedding_size));
    check(binding.inputs_embeds, {GraphType::kF32, GraphType::kF16}, "float or float16", embeddings);
    if (binding.input_ids.empty() && binding.inputs_embeds.empty()) {
      throw Error(ErrorCode::kFileFormat,
                  "the graph takes neither ids nor embeddings; its inputs are " + joined(encoder_.session->inputs()));
    }
    for (const GraphValue& value : encoder_.session->inputs()) {
      if (bound_.contains(value.name)) continue;
      throw Error(ErrorCode::kUnsupportedModel,
                  "the graph wants an input '" + value.name + "', which is nothing that an encoder gets");
    }
  }

 private:
  static int64_t length(size_t fixed) { return fixed == 0 ? kAny : static_cast<int64_t>(fixed); }

  void check(const std::string& name, std::initializer_list<GraphType> types, const char* expected,
             const std::vector<int64_t>& shape) {
    if (name.empty()) return;
    const GraphValue& value = find(encoder_.session->inputs(), name, "input");
    check_type(value, "input", types, expected);
    check_shape(value, "input", shape);
    if (!bound_.insert(name).second) {
      throw Error(ErrorCode::kFileFormat, "the graph's input '" + name + "' is bound twice");
    }
  }

  const GraphEncoder& encoder_;
  std::vector<int64_t> positions_;
  std::set<std::string> bound_;
};

void check_output(const GraphEncoder& encoder, const std::string& name, const std::vector<int64_t>* shape) {
  if (name.empty()) return;
  const GraphValue& value = find(encoder.session->outputs(), name, "output");
  check_type(value, "output", {GraphType::kF32, GraphType::kF16}, "float or float16");
  if (shape != nullptr) check_shape(value, "output", *shape);
}

void check_outputs(const GraphEncoder& encoder) {
  const GraphBinding& binding = encoder.binding;
  const auto hidden_size = static_cast<int64_t>(encoder.specification.hidden_size);
  const std::vector<int64_t> hidden = {kAny, kAny, hidden_size}, pooled = {kAny, hidden_size};
  const std::vector<int64_t> probabilities(4, kAny);
  check_output(encoder, binding.last_hidden_state, &hidden);
  check_output(encoder, binding.pooler_output, &pooled);
  for (const std::string& name : binding.hidden_states) check_output(encoder, name, &hidden);
  for (const std::string& name : binding.attentions) check_output(encoder, name, &probabilities);
  for (const auto& head : binding.heads) {
    for (const GraphBinding::HeadOutput& output : head) check_output(encoder, output.name, nullptr);
  }
  for (size_t head = 0; head < std::min(binding.heads.size(), encoder.specification.heads.size()); head++) {
    const HeadSpecification& specification = encoder.specification.heads[head];
    const auto width = static_cast<int64_t>(head_width(specification, encoder.specification));
    for (const GraphBinding::HeadOutput& output : binding.heads[head]) {
      if (output.column < width) continue;
      throw Error(ErrorCode::kOption, "binding.heads: '" + specification.name + "' has no column " +
                                          std::to_string(output.column) + "; expected a number below " +
                                          std::to_string(width));
    }
  }
  if (binding.heads.size() != encoder.specification.heads.size()) {
    throw Error(ErrorCode::kOption, "binding.heads: expected as many entries as the specification has heads");
  }
}

}  // namespace

void check_graph_encoder(const GraphEncoder& encoder) {
  InputCheck(encoder).run();
  check_outputs(encoder);
}

}  // namespace bert_native
