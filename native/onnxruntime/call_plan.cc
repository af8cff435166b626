#include "onnxruntime/call_plan.h"

#include <algorithm>
#include <map>
#include <string>

#include "common/errors.h"
#include "encoder/plan.h"
#include "onnxruntime/batch_outputs.h"

namespace bert_native {

namespace {

// Outputs of a batch that a head with many columns, attentions or hidden states may take, about.
constexpr size_t kBatchOutputBytes = size_t{64} << 20;
// What a run costs beside its tokens, in tokens, on each thread: of BERT-base's graph about 10, in fp32 and in q8;
// small models pay more for starting operators.
constexpr size_t kRunCost = 16;
// Tokens of a part below which a weight that is read gives too little work.
constexpr size_t kLeastPartTokens = 64;

// How far a sequence goes through the graph. `exact`: what it gives depends on the number of columns, so that no
// padding may follow.
struct Extent {
  size_t columns = 0;
  bool exact = false;
};

class Demand {
 public:
  Demand(const GraphTask& task, const Sequence& sequence) : sequence_(sequence) {
    for (const GraphUse& use : task.values.uses) {
      if (use.destination(sequence) != nullptr) add(use, task.encoder->specification);
    }
    for (const Pooling mode : sequence.pooled != nullptr ? sequence.options.pooling : std::vector<Pooling>()) {
      (mode == Pooling::kCls ? row_ : keys_) = true;
    }
  }

  Extent extent() const {
    size_t columns = keys_or_all();
    const bool no_key = columns == 0;
    if (sequence_.options.compute_masked_positions) {
      if (positions_ || lists_masked()) columns = sequence_.length;
    }
    // Where nothing is unmasked, a query attends to all columns there are. So may a masked first position, of which the
    // graph's windows may show no key.
    if (no_key && (columns > 0 || row_)) return {sequence_.length, true};
    if (row_ && !is_key(sequence_, 0)) return {sequence_.length, true};
    return {row_ || keys_ || positions_ || listed_ ? columns : 0, false};
  }

 private:
  void add(const GraphUse& use, const EncoderSpecification& specification) {
    switch (use.kind) {
      case GraphUse::Kind::kLastHiddenState:
      case GraphUse::Kind::kHiddenState:
      case GraphUse::Kind::kAttention:
        positions_ = true;
        break;
      case GraphUse::Kind::kPoolerOutput:
        row_ = true;
        break;
      case GraphUse::Kind::kHead:
        if (specification.heads[use.index].input != HeadInputKind::kTokens) {
          row_ = true;
        } else if (sequence_.head_positions == nullptr) {
          positions_ = true;
        } else {
          listed_ = listed_ || sequence_.head_position_count > 0;
        }
    }
  }

  // Up to the last position that is a key.
  size_t keys_or_all() const {
    size_t columns = sequence_.length;
    while (columns > 0 && !is_key(sequence_, columns - 1)) --columns;
    return columns;
  }

  bool lists_masked() const {
    const int32_t* const end = sequence_.head_positions + sequence_.head_position_count;
    return listed_ && std::any_of(sequence_.head_positions, end,
                                  [&](int32_t position) { return !is_key(sequence_, static_cast<size_t>(position)); });
  }

  const Sequence& sequence_;
  bool positions_ = false;  // every position that is shown
  bool listed_ = false;     // head_positions
  bool keys_ = false;       // states of keys, for poolings
  bool row_ = false;        // what is made of the whole row, masked or not
};

// Without a mask the graph takes every position for a token.
void check_unmasked(const GraphTask& task, size_t index, size_t columns) {
  const Sequence& sequence = task.sequences[index];
  const size_t fixed = task.encoder->binding.fixed_columns;
  if (fixed > 0 && columns < fixed) {
    throw Error(ErrorCode::kOption, "the graph takes no attention_mask and rows of " + std::to_string(fixed) +
                                        " positions alone: sequence " + std::to_string(index) + " has " +
                                        std::to_string(columns));
  }
  for (size_t position = 0; position < columns; ++position) {
    if (is_key(sequence, position)) continue;
    throw Error(ErrorCode::kOption, "the graph takes no attention_mask: position " + std::to_string(position) +
                                        " of sequence " + std::to_string(index) + " is masked");
  }
}

// Rows that may be padded to the same number of columns: all under 0, but for those that stand under their own length.
std::map<size_t, std::vector<uint32_t>> plan_rows(GraphTask& task) {
  const bool has_mask = task.values.has_input(GraphInputKind::kAttentionMask);
  std::map<size_t, std::vector<uint32_t>> groups;
  for (size_t index = 0; index < task.sequences.size(); ++index) {
    Extent extent = Demand(task, task.sequences[index]).extent();
    if (!has_mask && extent.columns > 0) {
      check_unmasked(task, index, extent.columns);
      extent.exact = true;
    }
    task.columns.push_back(static_cast<uint32_t>(extent.columns));
    if (extent.columns > 0) groups[extent.exact ? extent.columns : 0].push_back(static_cast<uint32_t>(index));
  }
  return groups;
}

size_t output_bytes_per_token(const GraphTask& task, size_t longest) {
  size_t bytes = 0;
  for (const GraphOutput& output : task.values.outputs) {
    if (output.layout == GraphLayout::kPositions) bytes += output.width * sizeof(float);
    if (output.layout == GraphLayout::kAttention) bytes += output.width * longest * sizeof(float);
  }
  return bytes;
}

}  // namespace

void plan_call(GraphTask& task, size_t parts) {
  const GraphEncoder& encoder = *task.encoder;
  check_sequences(encoder.specification, task.sequences);
  task.values = graph_values(encoder, task.sequences);
  task.columns.reserve(task.sequences.size());
  const std::map<size_t, std::vector<uint32_t>> groups = plan_rows(task);

  size_t total = 0, longest = 1;
  for (const uint32_t columns : task.columns) {
    total += columns;
    longest = std::max<size_t>(longest, columns);
  }
  BatchLimits limits;
  limits.fixed_rows = encoder.binding.fixed_rows;
  limits.fixed_columns = encoder.binding.fixed_columns;
  limits.token_budget =
      std::min(encoder.token_budget, kBatchOutputBytes / std::max<size_t>(1, output_bytes_per_token(task, longest)));
  limits.run_cost = kRunCost * std::max<size_t>(1, encoder.intra_op_threads);
  limits.parts = std::clamp<size_t>(total / kLeastPartTokens, 1, parts);
  for (const auto& [length, rows] : groups) {
    std::vector<size_t> lengths;
    for (const uint32_t row : rows) lengths.push_back(task.columns[row]);
    // Of rows that may not be padded, `groups` has those of one length together.
    for (GraphBatch& batch : plan_batches(lengths, limits)) {
      for (uint32_t& row : batch.rows) row = rows[row];
      task.batches.push_back(std::move(batch));
    }
  }
  for (size_t index = 0; index < task.sequences.size(); ++index) {
    if (task.columns[index] == 0) write_zeros(task, task.sequences[index]);
  }
}

}  // namespace bert_native
