#include "onnxruntime/batch_outputs.h"

#include <algorithm>

#include "encoder/plan.h"
#include "encoder/pooling.h"
#include "kernels/kernel_table.h"

namespace bert_native {

namespace {

// One row's numbers of one output, on their way to one result.
struct Piece {
  const GraphOutput& output;
  const GraphUse& use;
  const Sequence& sequence;
  const float* from;  // null: there are none, zeros are written
  float* to;
  size_t columns;  // of the graph
  size_t length;   // columns that are the sequence's
};

void copy_numbers(const Piece& piece, float* to, const float* from) {
  if (piece.use.column < 0) {
    from == nullptr ? std::fill_n(to, piece.output.width, 0.0f) : std::copy_n(from, piece.output.width, to);
  } else {
    to[piece.use.column] = from == nullptr ? 0.0f : *from;
  }
}

void copy_positions(const Piece& piece) {
  const Sequence& sequence = piece.sequence;
  const size_t W = piece.output.width;
  const auto source = [&](size_t position) {
    const bool given = piece.from != nullptr && position < piece.length && is_shown(sequence, position);
    return given ? piece.from + position * W : nullptr;
  };
  if (piece.use.kind == GraphUse::Kind::kHead && sequence.head_positions != nullptr) {
    for (size_t i = 0; i < sequence.head_position_count; ++i) {
      copy_numbers(piece, piece.to + i * piece.use.stride, source(static_cast<size_t>(sequence.head_positions[i])));
    }
    return;
  }
  for (size_t position = 0; position < sequence.length; ++position) {
    copy_numbers(piece, piece.to + position * piece.use.stride, source(position));
  }
}

// [A,C,C] to [A,S,S]: rows of positions that are shown.
void copy_attention(const Piece& piece) {
  const size_t C = piece.columns, S = piece.sequence.length;
  for (size_t head = 0; head < piece.output.width; ++head) {
    for (size_t query = 0; query < S; ++query) {
      float* const to = piece.to + (head * S + query) * S;
      const bool given = piece.from != nullptr && query < piece.length && is_shown(piece.sequence, query);
      const size_t keys = given ? piece.length : 0;
      if (given) std::copy_n(piece.from + (head * C + query) * C, keys, to);
      std::fill(to + keys, to + S, 0.0f);
    }
  }
}

void copy_piece(const Piece& piece) {
  switch (piece.output.layout) {
    case GraphLayout::kPositions:
      copy_positions(piece);
      break;
    case GraphLayout::kRows:
      copy_numbers(piece, piece.to, piece.from);
      break;
    case GraphLayout::kAttention:
      copy_attention(piece);
  }
}

bool shows_all(const Sequence& sequence) {
  if (sequence.options.compute_masked_positions || sequence.attention_mask == nullptr) return true;
  return std::all_of(sequence.attention_mask, sequence.attention_mask + sequence.length,
                     [](uint8_t mask) { return mask != 0; });
}

}  // namespace

BatchOutputs::BatchOutputs(const BatchRows& batch, GraphScratch& scratch) : batch_(batch), scratch_(scratch) {
  const std::vector<GraphOutput>& outputs = batch_.task.values.outputs;
  values_.resize(outputs.size());
  for (size_t index = 0; index < outputs.size(); ++index) {
    const GraphOutput& output = outputs[index];
    const size_t count = batch_.graph_rows() * output.row_size(batch_.columns);
    float* const caller = direct(index);
    is_direct_.push_back(caller != nullptr);
    void* data = caller;
    if (caller == nullptr) {
      data = output.type == GraphType::kF16 ? static_cast<void*>(scratch_.take<uint16_t>(count))
                                            : static_cast<void*>(scratch_.take<float>(count));
    }
    if (output.type == GraphType::kF32) values_[index] = static_cast<const float*>(data);
    tensors_.push_back({output.value, data, output.shape(batch_.graph_rows(), batch_.columns)});
  }
}

// The array that the output may be written to at once: it lies there whole, row behind row, and is all that is wanted
// of it. Null: there is none.
float* BatchOutputs::direct(size_t index) const {
  const GraphTask& task = batch_.task;
  const GraphOutput& output = task.values.outputs[index];
  if (!task.outputs_stay || output.type != GraphType::kF32 || batch_.graph_rows() != batch_.rows.size()) return nullptr;
  const auto of_output = [&](const GraphUse& use) { return use.output == index; };
  const auto& uses = task.values.uses;
  const auto use = std::find_if(uses.begin(), uses.end(), of_output);
  if (use == uses.end() || use->column >= 0 || std::find_if(use + 1, uses.end(), of_output) != uses.end()) {
    return nullptr;
  }
  float* const first = use->destination(batch_.sequence(0));
  for (size_t row = 0; row < batch_.rows.size(); ++row) {
    const Sequence& sequence = batch_.sequence(row);
    const float* const to = use->destination(sequence);
    if (to == nullptr || to != first + row * output.row_size(batch_.columns)) return nullptr;
    if (output.layout == GraphLayout::kRows) continue;
    if (sequence.length != batch_.columns || !shows_all(sequence)) return nullptr;
    if (use->kind == GraphUse::Kind::kHead && sequence.head_positions != nullptr) return nullptr;
  }
  return first;
}

void BatchOutputs::deliver() {
  widen();
  for (size_t row = 0; row < batch_.rows.size(); ++row) deliver_row(row);
}

void BatchOutputs::widen() {
  const std::vector<GraphOutput>& outputs = batch_.task.values.outputs;
  for (size_t index = 0; index < outputs.size(); ++index) {
    if (outputs[index].type != GraphType::kF16) continue;
    const size_t count = batch_.graph_rows() * outputs[index].row_size(batch_.columns);
    float* const wide = scratch_.take<float>(count);
    selected_kernels().f16_to_f32(wide, static_cast<const uint16_t*>(tensors_[index].data), count);
    values_[index] = wide;
  }
}

void BatchOutputs::deliver_row(size_t row) {
  const GraphTask& task = batch_.task;
  const Sequence& sequence = batch_.sequence(row);
  const OutputAccess access(sequence);
  if (!access) return;
  for (const GraphUse& use : task.values.uses) {
    float* const to = use.destination(sequence);
    if (to == nullptr || is_direct_[use.output]) continue;
    const GraphOutput& output = task.values.outputs[use.output];
    copy_piece({output, use, sequence, values_[use.output] + row * output.row_size(batch_.columns), to, batch_.columns,
                task.columns[batch_.rows[row]]});
  }
  if (sequence.pooled != nullptr) pool(row);
}

void BatchOutputs::pool(size_t row) {
  const Sequence& sequence = batch_.sequence(row);
  const size_t H = batch_.task.encoder->specification.hidden_size, length = batch_.task.columns[batch_.rows[row]];
  const float* const states =
      values_[static_cast<size_t>(batch_.task.values.last_hidden_state)] + row * batch_.columns * H;
  std::vector<PlannedRow> keys;
  for (size_t position = 0; position < length; ++position) {
    if (is_key(sequence, position)) keys.push_back({static_cast<uint32_t>(row), static_cast<uint32_t>(position)});
  }
  const size_t skip = std::min(keys.size(), sequence.options.pooling_skip), count = keys.size() - skip;
  PooledStates pooled;
  pooled.first = states;
  pooled.stride = H;
  std::vector<float> gathered;
  if (count > 0) {
    const PlannedRow* const first = keys.data() + skip;
    pooled.rows = first;
    pooled.key_count = count;
    pooled.last = states + keys.back().position * H;
    pooled.keys = states + first->position * H;
    if (keys.back().position - first->position + 1 != count) {
      for (size_t i = 0; i < count; ++i) {
        const float* const state = states + first[i].position * H;
        gathered.insert(gathered.end(), state, state + H);
      }
      pooled.keys = gathered.data();
    }
  }
  const KernelTable& kernels = selected_kernels();
  pool_f32(sequence.pooled, sequence.options.pooling, pooled, H, kernels);
  if (sequence.options.normalize) normalize_l2_f32(sequence.pooled, sequence.options.pooling.size() * H, kernels);
}

void write_zeros(const GraphTask& task, const Sequence& sequence) {
  for (const GraphUse& use : task.values.uses) {
    float* const to = use.destination(sequence);
    if (to != nullptr) copy_piece({task.values.outputs[use.output], use, sequence, nullptr, to, 0, 0});
  }
  const size_t H = task.encoder->specification.hidden_size;
  if (sequence.pooled != nullptr) std::fill_n(sequence.pooled, sequence.options.pooling.size() * H, 0.0f);
}

}  // namespace bert_native
