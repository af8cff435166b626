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
  size_t size = hidden.size_in_bytes() + projections.size_in_bytes() + shared_rows.size_in_bytes();
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
  }
  const size_t widest_panel = std::max(gemm_.cols, weights.pooler.matrix.panel_cols());
  const auto whole_panels = [&](size_t n) { return ceil_div(n, widest_panel) * widest_panel; };
  hidden_stride_ = row_stride(whole_panels(hidden_size_));
  projection_stride_ = row_stride(whole_panels(3 * widest_attention_));
  workspace.hidden.reserve(row_count_ * hidden_stride_);
  workspace.projections.reserve(row_count_ * projection_stride_);
  workspace.thread_rows.resize(pool.thread_count());
  workspace.thread_attention.resize(pool.thread_count());
}

void BlockPass::run() {
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
  const size_t width = weights_.layers.back().attention_output.matrix.inputs();
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
  scratch.input_strips.reserve(std::max(strips_bytes(hidden_size_), strips_bytes(widest_attention_)));
  scratch.inner_strips.reserve(strips_bytes(inner_columns));
  scratch.attended.reserve(rows * hidden_stride_);
  scratch.inner.reserve(rows * row_stride(inner_columns));
  scratch.output.reserve(rows * hidden_stride_);
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

Strips BlockPass::strips_of(std::byte* data, const RowGroup& group, const DepthPieces& pieces) const {
  return Strips(gemm_, pieces, data, group.count);
}

// Packs rows of `a` (whose row 0 is the group's first), after calling `before` for each row of the block.
void BlockPass::pack(const RowGroup& group, Strips strips, const float* a, size_t lda,
                     const std::function<void(size_t row)>& before) const {
  group.spread(strips.count(), [&](size_t begin, size_t end) {
    for (size_t strip = begin; strip < end; ++strip) {
      const size_t strip_rows = strips.gemm().rows, row_end = std::min(group.count, (strip + 1) * strip_rows);
      for (size_t row = strip * strip_rows; before && row < row_end; ++row) before(group.begin + row);
      strips.pack(a, lda, strip);
    }
  });
}

void BlockPass::normalize_row(float* out, const float* x, const NormWeights& norm) const {
  kernels_.layer_norm_f32(out, x, norm.gamma.data(), norm.beta.data(), norm.eps, hidden_size_);
}

void BlockPass::embed(const RowGroup& group) {
  pack(group, strips_of(group.scratch.input_strips.data(), group, hidden_pieces_), hidden_row(group.begin),
       hidden_stride_,
       [&](size_t row) { embed_row(row, group.scratch.output.data() + (row - group.begin) * hidden_stride_); });
  if (!specification_.layers.empty()) project(group, 0);
}

// Words, types and positions are added in the reference's order, each of the latter by way of `addend` [H].
void BlockPass::embed_row(size_t row, float* addend) {
  const size_t position = block_.rows[row].position, n = hidden_size_;
  const Sequence& sequence = *block_.sequences[block_.rows[row].sequence].sequence;
  float* x = hidden_row(row);
  if (sequence.inputs_embeds != nullptr) {
    std::copy_n(sequence.inputs_embeds + position * n, n, x);
  } else {
    const size_t id = static_cast<size_t>(sequence.input_ids[position]);
    weights_.word.read_rows(id, id + 1, x, kernels_);
  }
  const auto add_row = [&](const EmbeddingTable& table, size_t id) {
    table.read_rows(id, id + 1, addend, kernels_);
    kernels_.add_f32(x, addend, n);
  };
  add_row(weights_.token_type,
          sequence.token_type_ids == nullptr ? 0 : static_cast<size_t>(sequence.token_type_ids[position]));
  if (specification_.embeddings.position == PositionEmbedding::kAbsolute) {
    add_row(weights_.position,
            sequence.position_ids == nullptr ? position : static_cast<size_t>(sequence.position_ids[position]));
  }
  normalize_row(x, x, weights_.embeddings_norm);
  store_row(row, 0);
}

// projections = x [Wq; Wk; Wv]ᵀ + b, from the strips of x that embed() or transform() left behind. Rows that are only
// queries need no keys and values.
void BlockPass::project(const RowGroup& group, size_t layer) {
  const LinearWeights& linear = weights_.layers[layer].query_key_value;
  const bool only_queries = group.begin >= block_.value_rows;
  const size_t width = linear.matrix.outputs() / 3;
  const size_t panels = only_queries ? ceil_div(width, gemm_.cols) : linear.matrix.panel_count();
  const Strips strips = strips_of(group.scratch.input_strips.data(), group, hidden_pieces_);
  multiply(group.spread,
           {.a = strips,
            .w = linear.matrix,
            .panel_end = panels,
            .c = projections_row(group.begin),
            .ldc = projection_stride_},
           [&](const Region& part) {
             for (size_t row = part.row_begin; row < part.row_end; ++row) {
               kernels_.add_bias_f32(projections_row(group.begin + row) + part.col_begin,
                                     linear.bias.data() + part.col_begin, part.col_end - part.col_begin);
             }
           });
}

AttentionLayer BlockPass::attention_layer(size_t layer) const {
  const AttentionSpecification& specification = specification_.layers[layer].attention;
  const LayerWeights& weights = weights_.layers[layer];
  AttentionLayer attention{.heads = specification.num_attention_heads,
                           .head_size = specification.head_size,
                           .gemm = &attention_gemm(specification, weights_.is_rounded(), kernels_),
                           .mask = specification.mask,
                           .scale_factor = specification.scale_factor,
                           .zero_masked_queries = specification.zero_masked_queries,
                           .distance_rows = &weights_.distance_rows,
                           .index = layer};
  const AttentionPositionKind kind = specification.position.kind;
  if (kind == AttentionPositionKind::kRelativeKey || kind == AttentionPositionKind::kRelativeKeyQuery) {
    attention.distance_rows = &weights_.each_distance;
    attention.query_distances = DistanceVectors::of(weights.distance);
  }
  if (kind == AttentionPositionKind::kRelativeKeyQuery) attention.key_distances = attention.query_distances;
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

void BlockPass::transform(const RowGroup& group, size_t layer) {
  transform_attention(group, layer);
  transform_mlp(group, layer);
  if (layer + 1 < specification_.layers.size()) project(group, layer + 1);
}

// attended = norm(x + context Woᵀ + b)
void BlockPass::transform_attention(const RowGroup& group, size_t layer) {
  const LayerWeights& weights = weights_.layers[layer];
  const LinearWeights& linear = weights.attention_output;
  const size_t width = linear.matrix.inputs();
  std::byte* packed = group.scratch.input_strips.data();
  float* attended = group.scratch.attended.data();
  const Strips context = strips_of(packed, group, DepthPieces(width));
  pack(group, context, projections_row(group.begin), projection_stride_, nullptr);
  multiply(group.spread,
           {.a = context,
            .w = linear.matrix,
            .panel_end = linear.matrix.panel_count(),
            .c = attended,
            .ldc = hidden_stride_},
           [&](const Region& part) {
             for (size_t row = part.row_begin; row < part.row_end; ++row) {
               kernels_.add_bias_residual_f32(
                   attended + row * hidden_stride_ + part.col_begin, linear.bias.data() + part.col_begin,
                   hidden_row(group.begin + row) + part.col_begin, part.col_end - part.col_begin);
             }
           });
  pack(group, strips_of(packed, group, hidden_pieces_), attended, hidden_stride_, [&](size_t row) {
    float* x = attended + (row - group.begin) * hidden_stride_;
    normalize_row(x, x, weights.attention_norm);
  });
}

// Columns of the MLP's inner layer that a group computes, activates and multiplies on at a time: one piece of the depth
// of the product that follows, or all where the threads work together.
size_t BlockPass::inner_columns(const RowGroup& group, const LayerWeights& layer) const {
  const PackedMatrix& down = layer.mlp_down.matrix;
  return group.shared ? down.inputs() : down.pieces().longest();
}

// x = norm(attended + act(attended Wupᵀ + b) Wdownᵀ + b), the inner layer some columns at a time.
void BlockPass::transform_mlp(const RowGroup& group, size_t layer) {
  const LayerWeights& weights = weights_.layers[layer];
  const LinearWeights& up = weights.mlp_up;
  const LinearWeights& down = weights.mlp_down;
  const auto activate =
      kernels_.add_bias_activate_f32[static_cast<size_t>(specification_.layers[layer].mlp.activation)];
  RowScratch& scratch = group.scratch;
  float* inner = scratch.inner.data();
  float* output = scratch.output.data();
  const size_t most_columns = inner_columns(group, weights), inner_size = up.matrix.outputs();
  const size_t inner_stride = row_stride(ceil_div(most_columns, gemm_.cols) * gemm_.cols);
  const Strips attended = strips_of(scratch.input_strips.data(), group, hidden_pieces_);
  for (size_t begin = 0; begin < inner_size; begin += most_columns) {
    const size_t columns = std::min(most_columns, inner_size - begin);
    const Strips activated = strips_of(scratch.inner_strips.data(), group, DepthPieces(columns));
    multiply(group.spread,
             {.a = attended,
              .w = up.matrix,
              .panel_begin = begin / gemm_.cols,
              .panel_end = ceil_div(begin + columns, gemm_.cols),
              .c = inner,
              .ldc = inner_stride},
             [&](const Region& part) {
               for (size_t row = part.row_begin; row < part.row_end; ++row) {
                 activate(inner + row * inner_stride + part.col_begin, up.bias.data() + begin + part.col_begin,
                          part.col_end - part.col_begin);
               }
             });
    pack(group, activated, inner, inner_stride, nullptr);
    const bool last = begin + columns == inner_size;
    multiply(group.spread,
             {.a = activated,
              .w = down.matrix,
              .first_piece = begin / down.matrix.pieces().longest(),
              .panel_end = down.matrix.panel_count(),
              .c = output,
              .ldc = hidden_stride_,
              .accumulate = begin > 0},
             [&](const Region& part) {
               for (size_t row = part.row_begin; last && row < part.row_end; ++row) {
                 const size_t at = row * hidden_stride_ + part.col_begin;
                 kernels_.add_bias_residual_f32(output + at, down.bias.data() + part.col_begin,
                                                scratch.attended.data() + at, part.col_end - part.col_begin);
               }
             });
  }
  pack(group, attended, hidden_row(group.begin), hidden_stride_, [&](size_t row) {
    normalize_row(hidden_row(row), output + (row - group.begin) * hidden_stride_, weights.mlp_norm);
    store_row(row, layer + 1);
  });
}

// Copies a row of the residual stream to the outputs that show it. hidden_state: 0 the embeddings, n after layer n - 1.
void BlockPass::store_row(size_t row, size_t hidden_state) const {
  const PlannedRow& planned = block_.rows[only_last_rows_ ? block_.last_rows[row] : row];
  const size_t position = planned.position;
  const Sequence& sequence = *block_.sequences[planned.sequence].sequence;
  const OutputAccess access(sequence);
  if (!access || !is_shown(sequence, position)) return;
  const auto store = [&](float* out) {
    if (out != nullptr) std::copy_n(hidden_row(row), hidden_size_, out + position * hidden_size_);
  };
  if (!sequence.hidden_states.empty()) store(sequence.hidden_states[hidden_state]);
  if (hidden_state == specification_.layers.size()) store(sequence.last_hidden_state);
}

}  // namespace bert_native
