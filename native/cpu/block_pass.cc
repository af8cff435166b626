#include "cpu/block_pass.h"

#include <algorithm>

#include "cpu/output_pass.h"
#include "cpu/row_groups.h"

namespace bert_native {

namespace {

// Scores of one head that each thread computes in a step, so that short calls get their turn: a few tens of
// milliseconds of work on long sequences, and all of it on others.
constexpr size_t kScoresPerStep = size_t{8} << 20;
// With fewer strips of rows for each thread, the threads share the columns of each product instead.
constexpr size_t kGroupLeastStrips = 4;

}  // namespace

size_t Workspace::size_in_bytes() const {
  size_t size =
      hidden.size_in_bytes() + projections.size_in_bytes() + embeddings.size_in_bytes() + shared_rows.size_in_bytes();
  for (const RowScratch& scratch : thread_rows) size += scratch.size_in_bytes();
  for (const AttentionScratch& scratch : thread_attention) size += scratch.size_in_bytes();
  return size + heads.size_in_bytes();
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
    only_last_rows_ = layer + 1 == layers && block_.last_rows.size() < row_count_;
    attend_layer(layer);
    if (only_last_rows_) keep_only_last_rows();
    for_row_groups([this, layer](const RowGroup& group) { transform(group, layer); });
  }
  const LastStates states{workspace_.hidden.data(), hidden_stride_};
  OutputPass(specification_, weights_, kernels_, block_, states, pool_, control_, workspace_.heads).run();
}

// Moves the rows together that are needed behind the last layer. None is overwritten before its turn.
void BlockPass::keep_only_last_rows() {
  const size_t width = specification_.layers.back().attention.width();
  row_count_ = block_.last_rows.size();
  for (size_t i = 0; i < row_count_; ++i) {
    const size_t row = block_.last_rows[i];
    if (row == i) continue;
    std::copy_n(hidden_row(row), hidden_size_, hidden_row(i));
    std::copy_n(projections_row(row), width, projections_row(i));
  }
}

RowScratch& BlockPass::prepare(RowScratch& scratch, size_t rows, size_t inner_columns) const {
  const auto strips_bytes = [&](size_t depth) { return Strips::size_in_bytes(gemm_, DepthPieces(depth), rows); };
  const size_t stride = std::max(hidden_stride_, embedding_stride_);
  scratch.input_strips.reserve(
      std::max({strips_bytes(hidden_size_), strips_bytes(widest_attention_),
                strips_bytes(specification_.embeddings.embedding_size), strips_bytes(convolution_depth_)}));
  scratch.inner_strips.reserve(strips_bytes(inner_columns));
  scratch.attended.reserve(rows * stride);
  scratch.inner.reserve(rows *
                        std::max(row_stride(inner_columns) * (any_gate_ ? 2 : 1), row_stride(convolution_depth_)));
  scratch.output.reserve(rows * std::max(stride, convolution_stride_));
  return scratch;
}

void BlockPass::for_row_groups(const std::function<void(const RowGroup&)>& body) {
  control_.begin_step();
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
    control_.throw_if_abandoned();
    const size_t begin = cuts[index] * strip_rows;
    const size_t end = std::min(rows, cuts[index + 1] * strip_rows);
    body({begin, end - begin, Spread(), prepare(workspace_.thread_rows[worker], group_strips * strip_rows, piece),
          false});
  });
}

AttentionLayer BlockPass::attention_layer(size_t layer) const {
  const AttentionSpecification& specification = specification_.layers[layer].attention;
  const LayerWeights& weights = weights_.layer(layer);
  AttentionLayer attention{.heads = specification.num_attention_heads,
                           .head_size = specification.head_size,
                           .gemm = &attention_gemm(specification, weights_.is_rounded(), kernels_),
                           .mask = specification.mask,
                           .scale_factor = specification.scale_factor,
                           .zero_masked_queries = specification.zero_masked_queries,
                           .distance_rows = &weights_.distance_rows,
                           .query_distances = {},
                           .key_distances = {},
                           .index = layer};
  const AttentionPositionKind kind = specification.position.kind;
  if (kind == AttentionPositionKind::kRelativeKey || kind == AttentionPositionKind::kRelativeKeyQuery) {
    attention.distance_rows = &weights_.each_distance;
    attention.query_distances = DistanceVectors::of(weights.distance);
  }
  if (kind == AttentionPositionKind::kRelativeKeyQuery) attention.key_distances = attention.query_distances;
  if (kind == AttentionPositionKind::kBias) attention.bias = weights_.relative_positions.data();
  if (kind == AttentionPositionKind::kDisentangled) {
    attention.query_distances = weights.to_key.vectors();
    attention.key_distances = weights.to_query.vectors();
  }
  return attention;
}

void BlockPass::attend_layer(size_t layer) {
  control_.begin_step();
  const AttentionLayer attention = attention_layer(layer);
  std::vector<AttentionTask> tasks = attention_tasks(block_, attention.heads, pool_.thread_count());
  if (only_last_rows_) tasks = last_row_attention_tasks(block_, tasks);
  const auto scores = [&](const AttentionTask& task) {
    return (task.query_end - task.query_begin) * block_.sequences[task.sequence].key_count;
  };
  for (size_t first = 0, end; first < tasks.size(); first = end) {
    if (first > 0) control_.begin_step();
    size_t sum = 0;
    for (end = first; end < tasks.size() && sum < pool_.thread_count() * kScoresPerStep; ++end) {
      sum += scores(tasks[end]);
    }
    pool_.parallel_for(end - first, [&](size_t index, size_t worker) {
      control_.throw_if_abandoned();
      attend(attention, block_, tasks[first + index], workspace_.projections.data(), projection_stride_,
             workspace_.thread_attention[worker], kernels_);
    });
  }
}

}  // namespace bert_native
