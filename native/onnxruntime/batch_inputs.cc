#include "onnxruntime/batch_inputs.h"

#include <algorithm>
#include <optional>
#include <type_traits>

#include "encoder/plan.h"
#include "kernels/half.h"

namespace bert_native {

namespace {

template <typename T>
T element(int32_t value) {
  return static_cast<T>(value);
}
template <>
uint8_t element(int32_t value) {
  return value != 0;
}
template <>
F16 element(int32_t value) {
  return {f16_bits(static_cast<float>(value))};
}

class InputFiller {
 public:
  InputFiller(const BatchRows& batch, GraphScratch& scratch)
      : batch_(batch), task_(batch.task), scratch_(scratch), columns_(batch.columns) {}

  GraphTensor fill(const GraphInput& input) {
    const auto B = static_cast<int64_t>(batch_.graph_rows()), S = static_cast<int64_t>(columns_);
    std::vector<int64_t> shape{B};
    if (task_.encoder->binding.has_choices) shape.push_back(1);
    shape.push_back(S);
    if (input.kind == GraphInputKind::kInputsEmbeds) {
      shape.push_back(static_cast<int64_t>(embedding_size()));
      void* const data = input.type == GraphType::kF16 ? static_cast<void*>(fill_embeds<F16>())
                                                       : static_cast<void*>(fill_embeds<float>());
      return {input.value, data, shape};
    }
    return {input.value, fill_numbers(input), shape};
  }

 private:
  size_t embedding_size() const { return task_.encoder->specification.embeddings.embedding_size; }
  size_t source_row(size_t row) const { return std::min(row, batch_.rows.size() - 1); }

  void* fill_numbers(const GraphInput& input) {
    switch (input.type) {
      case GraphType::kInt32:
        return fill_as<int32_t>(input.kind);
      case GraphType::kBool:
        return fill_as<uint8_t>(input.kind);
      case GraphType::kF16:
        return fill_as<F16>(input.kind);
      case GraphType::kF32:
        return fill_as<float>(input.kind);
      default:
        return fill_as<int64_t>(input.kind);
    }
  }

  template <typename T>
  T* fill_as(GraphInputKind kind) {
    T* const data = scratch_.take<T>(batch_.graph_rows() * columns_);
    std::vector<int32_t> numbers(columns_);
    for (size_t row = 0; row < batch_.graph_rows(); ++row) {
      fill_row(kind, source_row(row), numbers.data());
      std::transform(numbers.begin(), numbers.end(), data + row * columns_, element<T>);
    }
    return data;
  }

  void fill_row(GraphInputKind kind, size_t row, int32_t* out) const {
    const Sequence& sequence = batch_.sequence(row);
    const size_t length = task_.columns[batch_.rows[row]];
    const auto copy = [&](const int32_t* values, int32_t padding) {
      if (values != nullptr) std::copy_n(values, length, out);
      std::fill(out + (values != nullptr ? length : 0), out + columns_, padding);
    };
    switch (kind) {
      case GraphInputKind::kInputIds:
        copy(sequence.input_ids, task_.encoder->binding.padding_token_id);
        break;
      case GraphInputKind::kAttentionMask:
        for (size_t column = 0; column < columns_; ++column) out[column] = column < length && is_key(sequence, column);
        break;
      case GraphInputKind::kTokenTypeIds:
        copy(sequence.token_type_ids, 0);
        break;
      default:
        fill_positions(sequence, length, out);
    }
  }

  // The caller's; or as transformers has them: columns, or tokens other than padding counted as fairseq does (Ott et
  // al. 2019).
  void fill_positions(const Sequence& sequence, size_t length, int32_t* out) const {
    const std::optional<int32_t> padding = task_.encoder->specification.embeddings.position_padding_id;
    int32_t last = padding.value_or(0);
    for (size_t column = 0; column < columns_; ++column) {
      if (sequence.position_ids != nullptr) {
        out[column] = column < length ? sequence.position_ids[column] : last;
      } else if (!padding) {
        out[column] = static_cast<int32_t>(column);
      } else {
        const bool counts =
            column < length && (sequence.inputs_embeds != nullptr || sequence.input_ids[column] != *padding);
        out[column] = counts ? ++last : *padding;
      }
    }
  }

  template <typename T>
  T* fill_embeds() {
    const size_t E = embedding_size();
    T* const data = scratch_.take<T>(batch_.graph_rows() * columns_ * E);
    for (size_t row = 0; row < batch_.graph_rows(); ++row) {
      const size_t length = task_.columns[batch_.rows[source_row(row)]];
      const float* const from = batch_.sequence(source_row(row)).inputs_embeds;
      T* const out = data + row * columns_ * E;
      if constexpr (std::is_same_v<T, float>) {
        std::copy_n(from, length * E, out);
      } else {
        std::transform(from, from + length * E, out, [](float x) { return F16{f16_bits(x)}; });
      }
      std::fill(out + length * E, out + columns_ * E, T{});
    }
    return data;
  }

  const BatchRows& batch_;
  const GraphTask& task_;
  GraphScratch& scratch_;
  size_t columns_;
};

}  // namespace

std::vector<GraphTensor> fill_inputs(const BatchRows& batch, GraphScratch& scratch) {
  InputFiller filler(batch, scratch);
  std::vector<GraphTensor> inputs;
  for (const GraphInput& input : batch.task.values.inputs) inputs.push_back(filler.fill(input));
  return inputs;
}

}  // namespace bert_native
