#include "cpu/block_pass.h"

#include <algorithm>

#include "common/errors.h"
#include "cpu/row_groups.h"
#include "encoder/pooling.h"

namespace bert_native {

namespace {

// Scores of one head that each thread computes in a step, so that short calls get their turn: a few tens of
// milliseconds of work on long sequences, and all of it on others.
constexpr size_t kScoresPerStep = size_t{8} << 20;
// With fewer strips of rows for each thread, the threads share the columns of each product instead.
constexpr size_t kGroupLeastStrips = 4;

}  // namespace

size_t Workspace::size_in_bytes() const {
  size_t size = hidden.size_in_bytes() + projections.size_in_bytes() + embeddings.size_in_bytes() +
                shared_rows.size_in_bytes();
  for (const RowScratch& scratch : thread_rows) size += scratch.size_in_bytes();
  for (const AttentionScratch& scratch : thread_attention) size += scratch.size_in_bytes();
  return size;
}

size_t RowScratch::size_in_bytes() const {
  return input_strips.size_in_bytes() + inner_strips.size_in_bytes() + attended.size_in_bytes() +
         inner.size_in_bytes() + output.size_in_bytes();
}

BlockPass::BlockPass(const EncoderSpecification& specification, const EncoderWeights& weights,
                     const KernelTable& kernels, const PlannedBlock& block, ThreadPool& pool, PassControl& control,
                     Workspace& workspace)
    : specification_(specification),
      weights_(weights),
      kernels_(kernels),
      gemm_(weights.gemm()),
      block_(block),
      pool_(pool),
      control_(control),
      workspace_(workspace),
      hidden_size_(specification.hidden_size),
      hidden_pieces_(hidden_size_),
      row_count_(block.rows.size()) {
  for (const LayerSpecification& layer : specification.layers) {
    widest_attention_ = std::max(widest_attention_, layer.attention.width());
    widest_inner_ = std::max(widest_inner_, layer.mlp.intermediate_size);
    longest_inner_piece_ = std::max(longest_inner_piece_, DepthPieces(layer.mlp.intermediate_size).longest());
    any_gate_ = any_gate_ || layer.mlp.gated;
  }
  const size_t widest_panel = std::max(gemm_.cols, weights.pooler.matrix.panel_cols());
  const auto whole_panels = [&](size_t n) { return ceil_div(n, widest_panel) * widest_panel; };
  hidden_stride_ = row_stride(whole_panels(hidden_size_));
  projection_stride_ = row_stride(whole_panels(3 * widest_attention_));
  embedding_stride_ = row_stride(specification.embeddings.embedding_size);
  if (const auto& convolution = specification.convolution) {
    const size_t channels = hidden_size_ / convolution->groups;
    convolution_depth_ = channels * convolution->kernel_size;
    convolution_stride_ = row_stride(hidden_size_ - channels + whole_panels(channels));
    workspace.embeddings.reserve(row_count_ * hidden_stride_);
  }
  workspace.hidden.reserve(row_count_ * hidden_stride_);
  workspace.projections.reserve(row_count_ * projection_stride_);
  workspace.thread_rows.resize(pool.thread_count());
  workspace.thread_attention.resize(pool.thread_count());
}

void BlockPass::run() {
  count_positions();
  for_row_groups([this](const RowGroup& group) { embed(group); });
  const size_t layers = specification_.layers.size();
  for (size_t layer = 0; layer < layers; ++layer) {
    only_first_rows_ = layer + 1 == layers && wants_only_first_rows();
    attend_layer(layer);
    if (only_first_rows_) keep_only_first_rows();
    for_row_groups([this, layer](const RowGroup& group) { transform(group, layer); });
  }
  run_poolers();
  pool();
}

// Whether the last layer's output matters at position 0 alone, as it does to a pooler or a classifier on top of one.
bool BlockPass::wants_only_first_rows() const {
  // A convolution looks at the rows as they are planned.
  if (specification_.convolution && specification_.layers.size() == 1) return false;
  return std::all_of(block_.sequences.begin(), block_.sequences.end(), [this](const PlannedSequence& planned) {
    const Sequence& sequence = *planned.sequence;
    const bool pools_all =
        sequence.pooled != nullptr && sequence.options.pooling != std::vector<Pooling>{Pooling::kCls};
    return !pools_all && sequence.last_hidden_state == nullptr && sequence.hidden_states.empty() &&
           sequence.attentions.empty();
  });
}

// Moves the first rows together. That of sequence i stands at row i or behind it, so none is overwritten before its
// turn.
void BlockPass::keep_only_first_rows() {
  const size_t width = specification_.layers.back().attention.width();
  for (size_t sequence = 0; sequence < block_.sequences.size(); ++sequence) {
    const size_t row = block_.sequences[sequence].first_row;
    if (row == sequence) continue;
    std::copy_n(hidden_row(row), hidden_size_, hidden_row(sequence));
    std::copy_n(projections_row(row), width, projections_row(sequence));
  }
  row_count_ = block_.sequences.size();
}

// The row of the workspace that holds position 0, where that is needed.
size_t BlockPass::first_row(size_t sequence) const {
  return only_first_rows_ ? sequence : block_.sequences[sequence].first_row;
}

void BlockPass::begin_step() {
  throw_if_abandoned();
  control_.between_steps();
}

void BlockPass::throw_if_abandoned() const {
  if (control_.is_abandoned()) throw Error(ErrorCode::kAborted, "the forward pass was aborted");
}

RowScratch& BlockPass::prepare(RowScratch& scratch, size_t rows, size_t inner_columns) const {
  const auto strips_bytes = [&](size_t depth) { return Strips::size_in_bytes(gemm_, DepthPieces(depth), rows); };
  const size_t stride = std::max(hidden_stride_, embedding_stride_);
  scratch.input_strips.reserve(std::max({strips_bytes(hidden_size_), strips_bytes(widest_attention_),
                                         strips_bytes(specification_.embeddings.embedding_size),
                                         strips_bytes(convolution_depth_)}));
  scratch.inner_strips.reserve(strips_bytes(inner_columns));
  scratch.attended.reserve(rows * stride);
  scratch.inner.reserve(
      rows * std::max(row_stride(inner_columns) * (any_gate_ ? 2 : 1), row_stride(convolution_depth_)));
  scratch.output.reserve(rows * std::max(stride, convolution_stride_));
  return scratch;
}

void BlockPass::for_row_groups(const std::function<void(const RowGroup&)>& body) {
  begin_step();
  const size_t rows = row_count_, threads = pool_.thread_count();
  const size_t strip_rows = gemm_.rows, strips = ceil_div(rows, strip_rows);
  const size_t whole_inner = ceil_div(widest_inner_, gemm_.cols) * gemm_.cols;
  if (strips < threads * kGroupLeastStrips) {
    body({0, rows, Spread(pool_), prepare(workspace_.shared_rows, rows, whole_inner), true});
    return;
  }
  const size_t group_strips = std::max<size_t>(1, gemm_.group_rows / strip_rows);
  const std::vector<size_t> cuts = row_group_cuts(strips, group_strips, threads);
  const size_t piece = ceil_div(longest_inner_piece_, gemm_.cols) * gemm_.cols;
  pool_.parallel_for(cuts.size() - 1, [&](size_t index, size_t worker) {
    throw_if_abandoned();
    const size_t begin = cuts[index] * strip_rows;
    const size_t end = std::min(rows, cuts[index + 1] * strip_rows);
    body({begin, end - begin, Spread(), prepare(workspace_.thread_rows[worker], group_strips * strip_rows, piece),
          false});
  });
}

// Weights that are rounded to 16 bits or fewer let attention do the same with its operands, where that is faster.
const GemmKernels& BlockPass::attention_gemm(const AttentionSpecification& layer) const {
  const GemmKernels& bf16 = kernels_.gemm_of(MatrixType::kBf16);
  const bool plain = layer.mask.kind == AttentionMaskKind::kFull && layer.position.kind == AttentionPositionKind::kNone;
  return weights_.is_rounded() && bf16.rounds_both && plain ? bf16 : kernels_.gemm_of(MatrixType::kF32);
}

void BlockPass::attend_layer(size_t layer) {
  begin_step();
  const AttentionSpecification& specification = specification_.layers[layer].attention;
  const AttentionLayer attention{.heads = specification.num_attention_heads,
                                 .head_size = specification.head_size,
                                 .gemm = &attention_gemm(specification),
                                 .mask = specification.mask,
                                 .position = specification.position.kind,
                                 .distance = &weights_.layer(layer).distance,
                                 .max_position_embeddings = specification_.embeddings.max_position_embeddings,
                                 .index = layer};
  const std::vector<AttentionTask> tasks = only_first_rows_
                                               ? first_row_attention_tasks(block_, attention.heads)
                                               : attention_tasks(block_, attention.heads, pool_.thread_count());
  const auto scores = [&](const AttentionTask& task) {
    return (task.query_end - task.query_begin) * block_.sequences[task.sequence].key_count;
  };
  for (size_t first = 0, end; first < tasks.size(); first = end) {
    if (first > 0) begin_step();
    size_t sum = 0;
    for (end = first; end < tasks.size() && sum < pool_.thread_count() * kScoresPerStep; ++end) {
      sum += scores(tasks[end]);
    }
    pool_.parallel_for(end - first, [&](size_t index, size_t worker) {
      throw_if_abandoned();
      attend(attention, block_, tasks[first + index], workspace_.projections.data(), projection_stride_,
             workspace_.thread_attention[worker], kernels_);
    });
  }
}

// pooler_output = act(W x₀ + b), for all sequences that want it.
void BlockPass::run_poolers() {
  std::vector<size_t> wanting;
  for (size_t sequence = 0; sequence < block_.sequences.size(); ++sequence) {
    if (block_.sequences[sequence].sequence->pooler_output != nullptr) wanting.push_back(sequence);
  }
  if (wanting.empty()) return;
  const LinearWeights& linear = weights_.pooler;
  const GemmKernels& gemm = linear.matrix.gemm();
  const size_t most = std::max(gemm.group_rows, pool_.thread_count() * kGroupLeastStrips * gemm.rows);
  const auto activate = kernels_.add_bias_activate_f32[static_cast<size_t>(*specification_.pooler)];
  for (size_t first = 0; first < wanting.size(); first += most) {
    throw_if_abandoned();
    const size_t count = std::min(most, wanting.size() - first);
    RowScratch& scratch = prepare(workspace_.shared_rows, count, gemm_.cols);
    scratch.input_strips.reserve(Strips::size_in_bytes(gemm, hidden_pieces_, count));
    const RowGroup group{0, count, Spread(pool_), scratch, true};
    float* rows = scratch.attended.data();
    float* output = scratch.output.data();
    const Strips strips(gemm, hidden_pieces_, scratch.input_strips.data(), count);
    pack(group, strips, rows, hidden_stride_, [&](size_t row) {
      std::copy_n(hidden_row(first_row(wanting[first + row])), hidden_size_, rows + row * hidden_stride_);
    });
    multiply(
        group.spread,
        {.a = strips, .w = linear.matrix, .panel_end = linear.matrix.panel_count(), .c = output, .ldc = hidden_stride_},
        [&](const Region& part) {
          for (size_t row = part.row_begin; row < part.row_end; ++row) {
            float* x = output + row * hidden_stride_ + part.col_begin;
            activate(x, linear.bias.data() + part.col_begin, part.col_end - part.col_begin);
            const Sequence& sequence = *block_.sequences[wanting[first + row]].sequence;
            const OutputAccess access(sequence);
            if (access) std::copy_n(x, part.col_end - part.col_begin, sequence.pooler_output + part.col_begin);
          }
        });
  }
}

void BlockPass::pool() {
  pool_.parallel_for(block_.sequences.size(), [this](size_t index, size_t) {
    const PlannedSequence& planned = block_.sequences[index];
    const OutputOptions& options = planned.sequence->options;
    float* out = planned.sequence->pooled;
    const OutputAccess access(*planned.sequence);
    if (out == nullptr || !access) return;
    for (size_t i = 0; i < options.pooling.size(); ++i) {
      pool_f32(out + i * hidden_size_, options.pooling[i], hidden_row(planned.key_begin),
               planned.uniform_attention ? 0 : planned.key_count, hidden_stride_, hidden_row(first_row(index)),
               hidden_size_, kernels_);
    }
    if (options.normalize) normalize_l2_f32(out, options.pooling.size() * hidden_size_, kernels_);
  });
}

}  // namespace bert_native
