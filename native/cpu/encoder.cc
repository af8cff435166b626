#include "cpu/encoder.h"

#include <algorithm>
#include <utility>

#include "cpu/block_pass.h"
#include "cpu/weights.h"
#include "encoder/plan.h"

namespace bert_native {

namespace {

void zero_head(const EncoderSpecification& specification, const HeadSpecification& head, const Sequence& sequence,
               float* out) {
  if (out == nullptr) return;
  const size_t size = head_width(head, specification);
  if (head.input != HeadInputKind::kTokens) {
    std::fill_n(out, size, 0.0f);
    return;
  }
  const bool listed = sequence.head_positions != nullptr;
  const size_t rows = listed ? sequence.head_position_count : sequence.length;
  for (size_t row = 0; row < rows; ++row) {
    const size_t position = listed ? static_cast<size_t>(sequence.head_positions[row]) : row;
    if (!is_shown(sequence, position)) std::fill_n(out + row * size, size, 0.0f);
  }
}

// Everything that no row of a block will fill: positions that are not shown, and all of a sequence without rows.
void zero_unshown(const EncoderSpecification& specification, const Sequence& sequence) {
  const OutputAccess access(sequence);
  if (!access) return;
  const size_t hidden_size = specification.hidden_size, length = sequence.length;
  const auto zero_rows = [&](float* out, size_t size) {
    if (out == nullptr) return;
    for (size_t position = 0; position < length; ++position) {
      if (!is_shown(sequence, position)) std::fill_n(out + position * size, size, 0.0f);
    }
  };
  zero_rows(sequence.last_hidden_state, hidden_size);
  for (float* out : sequence.hidden_states) zero_rows(out, hidden_size);
  for (size_t layer = 0; layer < sequence.attentions.size(); ++layer) {
    if (sequence.attentions[layer] == nullptr) continue;
    for (size_t head = 0; head < specification.layers[layer].attention.num_attention_heads; ++head) {
      zero_rows(sequence.attentions[layer] + head * length * length, length);
    }
  }
  for (size_t head = 0; head < sequence.heads.size(); ++head) {
    zero_head(specification, specification.heads[head], sequence, sequence.heads[head]);
  }
  if (sequence.pooler_output != nullptr) std::fill_n(sequence.pooler_output, hidden_size, 0.0f);
  if (sequence.pooled != nullptr) {
    std::fill_n(sequence.pooled, sequence.options.pooling.size() * hidden_size, 0.0f);
  }
}

}  // namespace

struct CpuEncoder::State {
  EncoderSpecification specification;
  const KernelTable& kernels;
  EncoderWeights weights;
};

CpuEncoder::CpuEncoder(std::unique_ptr<State> state) : state_(std::move(state)) {}

CpuEncoder::~CpuEncoder() = default;

std::unique_ptr<CpuEncoder> CpuEncoder::load(const EncoderSpecification& specification, const ParameterSources& sources,
                                             MatrixType type, const KernelTable& kernels, ThreadPool& pool,
                                             const LoadControl& control) {
  check_specification(specification);
  std::unique_ptr<State> state(
      new State{specification, kernels, {specification, sources, type, kernels, pool, control}});
  return std::unique_ptr<CpuEncoder>(new CpuEncoder(std::move(state)));
}

void CpuEncoder::run_block(const std::vector<const Sequence*>& sequences, ThreadPool& pool, PassControl& control,
                           Workspace& workspace) const {
  const EncoderSpecification& specification = state_->specification;
  for (const Sequence* sequence : sequences) zero_unshown(specification, *sequence);
  const PlannedBlock block = plan_block(specification, sequences);
  if (block.rows.empty()) return;
  BlockPass(specification, state_->weights, state_->kernels, block, pool, control, workspace).run();
}

void CpuEncoder::read_parameter(const std::string& name, float* out) const {
  state_->weights.read_parameter(name, out);
}

const EncoderSpecification& CpuEncoder::specification() const { return state_->specification; }

size_t CpuEncoder::weights_size_bytes() const { return state_->weights.size_in_bytes(); }

}  // namespace bert_native
