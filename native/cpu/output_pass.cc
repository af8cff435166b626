#include "cpu/output_pass.h"

#include <algorithm>

namespace bert_native {

OutputPass::OutputPass(const EncoderSpecification& specification, const EncoderWeights& weights,
                       const KernelTable& kernels, const PlannedBlock& block, const LastStates& states,
                       ThreadPool& pool, PassControl& control, HeadScratch& scratch)
    : specification_(specification),
      weights_(weights),
      kernels_(kernels),
      block_(block),
      states_(states),
      pool_(pool),
      control_(control),
      heads_(kernels, weights.word, pool, control, scratch) {}

void OutputPass::run() {
  pool_sequences();
  run_pooler();
  for (size_t head = 0; head < specification_.heads.size(); ++head) run_head(head);
}

void OutputPass::pool_sequences() {
  control_.throw_if_abandoned();
  pool_.parallel_for(block_.sequences.size(), [this](size_t index, size_t) {
    const PlannedSequence& planned = block_.sequences[index];
    const Sequence& sequence = *planned.sequence;
    if (sequence.pooled == nullptr) return;
    const OutputAccess access(sequence);
    if (!access) return;
    const std::vector<Pooling>& modes = sequence.options.pooling;
    pool(planned, modes, sequence.pooled);
    if (sequence.options.normalize)
      normalize_l2_f32(sequence.pooled, modes.size() * specification_.hidden_size, kernels_);
  });
}

// activation(W x₀ + b), for all sequences that want it.
void OutputPass::run_pooler() {
  std::vector<HeadRow> rows;
  for (const PlannedSequence& planned : block_.sequences) {
    float* out = planned.sequence->pooler_output;
    if (out != nullptr) rows.push_back({planned.sequence, state_of(planned.first_row), out});
  }
  if (rows.empty()) return;
  Head pooler;
  prepend_linear(pooler, weights_.pooler, *specification_.pooler);
  heads_.run(pooler, rows, [this](size_t source, float* row) { copy_state(source, row); });
}

void OutputPass::run_head(size_t index) {
  const HeadSpecification& specification = specification_.heads[index];
  Head head = make_head(specification, weights_.heads[index], specification_);
  if (specification.input == HeadInputKind::kPooled) {
    run_pooled_head(head, index, specification.modes);
    return;
  }
  std::vector<HeadRow> rows;
  if (specification.input == HeadInputKind::kTokens) {
    rows = token_rows(index, head.output_width());
  } else {
    prepend_linear(head, weights_.pooler, *specification_.pooler);
    for (const PlannedSequence& planned : block_.sequences) {
      const Sequence& sequence = *planned.sequence;
      if (sequence.heads.empty() || sequence.heads[index] == nullptr) continue;
      rows.push_back({&sequence, state_of(planned.first_row), sequence.heads[index]});
    }
  }
  heads_.run(head, rows, [this](size_t source, float* row) { copy_state(source, row); });
}

void OutputPass::run_pooled_head(const Head& head, size_t index, const std::vector<Pooling>& modes) {
  std::vector<HeadRow> rows;
  for (size_t i = 0; i < block_.sequences.size(); ++i) {
    const Sequence& sequence = *block_.sequences[i].sequence;
    if (!sequence.heads.empty() && sequence.heads[index] != nullptr)
      rows.push_back({&sequence, i, sequence.heads[index]});
  }
  heads_.run(head, rows, [&](size_t source, float* row) { pool(block_.sequences[source], modes, row); });
}

// The rows of a head over tokens, each with its place in the sequence's output.
std::vector<HeadRow> OutputPass::token_rows(size_t index, size_t width) const {
  std::vector<HeadRow> rows;
  for (size_t state = 0; state < block_.last_rows.size(); ++state) {
    const PlannedRow& row = block_.rows[block_.last_rows[state]];
    const Sequence& sequence = *block_.sequences[row.sequence].sequence;
    if (sequence.heads.empty() || sequence.heads[index] == nullptr || !is_shown(sequence, row.position)) continue;
    size_t place = row.position;
    if (sequence.head_positions != nullptr) {
      const int32_t* end = sequence.head_positions + sequence.head_position_count;
      const int32_t* found = std::lower_bound(sequence.head_positions, end, static_cast<int32_t>(row.position));
      if (found == end || *found != static_cast<int32_t>(row.position)) continue;
      place = static_cast<size_t>(found - sequence.head_positions);
    }
    rows.push_back({&sequence, state, sequence.heads[index] + place * width});
  }
  return rows;
}

// Where the last state of a row of the block lies, or would lie if it were wanted.
size_t OutputPass::state_of(size_t row) const {
  const auto found = std::lower_bound(block_.last_rows.begin(), block_.last_rows.end(), row);
  return static_cast<size_t>(found - block_.last_rows.begin());
}

void OutputPass::copy_state(size_t index, float* out) const {
  std::copy_n(states_.row(index), specification_.hidden_size, out);
}

void OutputPass::pool(const PlannedSequence& planned, const std::vector<Pooling>& modes, float* out) const {
  const size_t keys = planned.uniform_attention ? 0 : planned.key_count;
  const size_t skip = std::min(keys, planned.sequence->options.pooling_skip);
  PooledStates states;
  states.first = states_.row(state_of(planned.first_row));
  if (keys > skip) {
    states.last = states_.row(state_of(planned.key_begin + keys - 1));
    states.keys = states_.row(state_of(planned.key_begin + skip));
    states.rows = block_.rows.data() + planned.key_begin + skip;
    states.key_count = keys - skip;
    states.stride = states_.stride;
  }
  pool_f32(out, modes, states, specification_.hidden_size, kernels_);
}

}  // namespace bert_native
