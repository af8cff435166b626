#include "cpu/block_pass.h"

#include <algorithm>
#include <numeric>

#include "common/errors.h"
#include "encoder/pooling.h"

namespace bert_native {

namespace {

// A group of this many rows reads each weight from beyond its caches once; its own data stay in the second-level cache.
constexpr size_t kGroupRows = 96;
// Columns of the MLP's inner layer that such a group computes, activates and multiplies on at a time.
constexpr size_t kGroupChunk = 768;
// With fewer strips of rows for each thread, the threads share the columns of each product instead.
constexpr size_t kGroupLeastStrips = 4;

}  // namespace

size_t Workspace::size_in_bytes() const {
  size_t size = hidden.size_in_bytes() + projections.size_in_bytes() + shared_rows.size_in_bytes();
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
      block_(block),
      pool_(pool),
      control_(control),
      workspace_(workspace),
      hidden_size_(specification.hidden_size),
      row_count_(block.rows.size()) {
  for (const LayerSpecification& layer : specification.layers) {
    widest_attention_ = std::max(widest_attention_, layer.num_attention_heads * layer.head_size);
    widest_inner_ = std::max(widest_inner_, layer.intermediate_size);
  }
  const auto whole_panels = [&](size_t n) { return ceil_div(n, kernels.gemm_cols) * kernels.gemm_cols; };
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
  return std::all_of(block_.sequences.begin(), block_.sequences.end(), [this](const PlannedSequence& planned) {
    const Sequence& sequence = *planned.sequence;
    const bool pools_all = sequence.pooled != nullptr && sequence.options.pooling != Pooling::kCls;
    return !pools_all && sequence.last_hidden_state == nullptr && sequence.hidden_states.empty() &&
           sequence.attentions.empty();
  });
}

// Moves the first rows together. That of sequence i stands at row i or behind it, so none is overwritten before its
// turn.
void BlockPass::keep_only_first_rows() {
  const size_t width = weights_.layers.back().attention_output.matrix.inputs();
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

RowScratch& BlockPass::prepare(RowScratch& scratch, size_t rows, size_t chunk) const {
  const size_t strip_rows = ceil_div(rows, kernels_.gemm_rows) * kernels_.gemm_rows;
  scratch.input_strips.reserve(strip_rows * std::max(hidden_size_, widest_attention_));
  scratch.inner_strips.reserve(strip_rows * chunk);
  scratch.attended.reserve(rows * hidden_stride_);
  scratch.inner.reserve(rows * row_stride(chunk));
  scratch.output.reserve(rows * hidden_stride_);
  scratch.chunk = chunk;
  return scratch;
}

void BlockPass::for_row_groups(const std::function<void(const RowGroup&)>& body) {
  begin_step();
  const size_t rows = row_count_, threads = pool_.thread_count();
  const size_t strip_rows = kernels_.gemm_rows, strips = ceil_div(rows, strip_rows);
  const size_t whole_inner = ceil_div(widest_inner_, kernels_.gemm_cols) * kernels_.gemm_cols;
  if (strips < threads * kGroupLeastStrips) {
    body({0, rows, Spread(pool_), prepare(workspace_.shared_rows, rows, whole_inner)});
    return;
  }
  const size_t group_strips = std::max<size_t>(1, kGroupRows / strip_rows);
  // Whole panels, and whole sums of the product over the inner layer.
  const size_t chunk_unit = std::lcm(kernels_.gemm_cols, kGemmSumLength);
  const size_t chunk = std::min(whole_inner, std::max<size_t>(1, kGroupChunk / chunk_unit) * chunk_unit);
  const size_t groups = std::min(strips, ceil_div(ceil_div(strips, group_strips), threads) * threads);
  pool_.parallel_for(groups, [&](size_t index, size_t worker) {
    throw_if_abandoned();
    const size_t begin = index * strips / groups * strip_rows;
    const size_t end = std::min(rows, (index + 1) * strips / groups * strip_rows);
    body({begin, end - begin, Spread(), prepare(workspace_.thread_rows[worker], group_strips * strip_rows, chunk)});
  });
}

// Packs rows of `a` (whose row 0 is the group's first) into strips, after calling `before` for each row of the block.
void BlockPass::pack(const RowGroup& group, float* strips, const float* a, size_t lda, size_t depth,
                     const std::function<void(size_t row)>& before) const {
  const size_t strip_rows = kernels_.gemm_rows;
  group.spread(ceil_div(group.count, strip_rows), [&](size_t begin, size_t end) {
    for (size_t strip = begin; strip < end; ++strip) {
      const size_t row_end = std::min(group.count, (strip + 1) * strip_rows);
      for (size_t row = strip * strip_rows; before && row < row_end; ++row) before(group.begin + row);
      pack_strip(kernels_, strips, a, lda, group.count, depth, strip);
    }
  });
}

void BlockPass::normalize_row(float* out, const float* x, const NormWeights& norm) const {
  kernels_.layer_norm_f32(out, x, norm.gamma.data(), norm.beta.data(), norm.eps, hidden_size_);
}

void BlockPass::embed(const RowGroup& group) {
  pack(group, group.scratch.input_strips.data(), hidden_row(group.begin), hidden_stride_, hidden_size_,
       [&](size_t row) { embed_row(row); });
  if (!specification_.layers.empty()) project(group, 0);
}

// Words, types and positions are added in the reference's order.
void BlockPass::embed_row(size_t row) {
  const size_t position = block_.rows[row].position, n = hidden_size_;
  const Sequence& sequence = *block_.sequences[block_.rows[row].sequence].sequence;
  float* x = hidden_row(row);
  const float* word = sequence.inputs_embeds != nullptr
                          ? sequence.inputs_embeds + position * n
                          : weights_.word.data() + static_cast<size_t>(sequence.input_ids[position]) * n;
  const size_t type = sequence.token_type_ids == nullptr ? 0 : static_cast<size_t>(sequence.token_type_ids[position]);
  std::copy_n(word, n, x);
  kernels_.add_f32(x, weights_.token_type.data() + type * n, n);
  if (specification_.embeddings.position == PositionEmbedding::kAbsolute) {
    const size_t id =
        sequence.position_ids == nullptr ? position : static_cast<size_t>(sequence.position_ids[position]);
    kernels_.add_f32(x, weights_.position.data() + id * n, n);
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
  const size_t panels = only_queries ? ceil_div(width, kernels_.gemm_cols) : linear.matrix.panel_count();
  multiply(group.spread, kernels_,
           {.a = {group.scratch.input_strips.data(), group.count, hidden_size_},
            .w = &linear.matrix,
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

void BlockPass::attend_layer(size_t layer) {
  begin_step();
  const LayerSpecification& specification = specification_.layers[layer];
  const AttentionLayer attention{.heads = specification.num_attention_heads,
                                 .head_size = specification.head_size,
                                 .mask = specification.mask,
                                 .position = specification.attention_position,
                                 .distance = &weights_.layers[layer].distance,
                                 .max_position_embeddings = specification_.embeddings.max_position_embeddings,
                                 .index = layer};
  const std::vector<AttentionTask> tasks = only_first_rows_
                                               ? first_row_attention_tasks(block_, attention.heads)
                                               : attention_tasks(block_, attention.heads, pool_.thread_count());
  pool_.parallel_for(tasks.size(), [&](size_t index, size_t worker) {
    throw_if_abandoned();
    attend(attention, block_, tasks[index], workspace_.projections.data(), projection_stride_,
           workspace_.thread_attention[worker], kernels_);
  });
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
  float* strips = group.scratch.input_strips.data();
  float* attended = group.scratch.attended.data();
  pack(group, strips, projections_row(group.begin), projection_stride_, width, nullptr);
  multiply(group.spread, kernels_,
           {.a = {strips, group.count, width},
            .w = &linear.matrix,
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
  pack(group, strips, attended, hidden_stride_, hidden_size_, [&](size_t row) {
    float* x = attended + (row - group.begin) * hidden_stride_;
    normalize_row(x, x, weights.attention_norm);
  });
}

// x = norm(attended + act(attended Wupᵀ + b) Wdownᵀ + b), the inner layer a chunk of columns at a time.
void BlockPass::transform_mlp(const RowGroup& group, size_t layer) {
  const LayerWeights& weights = weights_.layers[layer];
  const LinearWeights& up = weights.mlp_up;
  const LinearWeights& down = weights.mlp_down;
  const auto activate = kernels_.add_bias_activate_f32[static_cast<size_t>(specification_.layers[layer].activation)];
  RowScratch& scratch = group.scratch;
  float* inner = scratch.inner.data();
  float* output = scratch.output.data();
  const size_t inner_stride = row_stride(scratch.chunk), inner_size = up.matrix.outputs();
  for (size_t begin = 0; begin < inner_size; begin += scratch.chunk) {
    const size_t columns = std::min(scratch.chunk, inner_size - begin);
    multiply(group.spread, kernels_,
             {.a = {scratch.input_strips.data(), group.count, hidden_size_},
              .w = &up.matrix,
              .panel_begin = begin / kernels_.gemm_cols,
              .panel_end = ceil_div(begin + columns, kernels_.gemm_cols),
              .c = inner,
              .ldc = inner_stride},
             [&](const Region& part) {
               for (size_t row = part.row_begin; row < part.row_end; ++row) {
                 activate(inner + row * inner_stride + part.col_begin, up.bias.data() + begin + part.col_begin,
                          part.col_end - part.col_begin);
               }
             });
    pack(group, scratch.inner_strips.data(), inner, inner_stride, columns, nullptr);
    const bool last = begin + columns == inner_size;
    multiply(group.spread, kernels_,
             {.a = {scratch.inner_strips.data(), group.count, columns},
              .w = &down.matrix,
              .k_begin = begin,
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
  pack(group, scratch.input_strips.data(), hidden_row(group.begin), hidden_stride_, hidden_size_, [&](size_t row) {
    normalize_row(hidden_row(row), output + (row - group.begin) * hidden_stride_, weights.mlp_norm);
    store_row(row, layer + 1);
  });
}

// Copies a row of the residual stream to the outputs that show it. hidden_state: 0 the embeddings, n after layer n - 1.
void BlockPass::store_row(size_t row, size_t hidden_state) const {
  if (only_first_rows_) return;
  const size_t position = block_.rows[row].position;
  const Sequence& sequence = *block_.sequences[block_.rows[row].sequence].sequence;
  const OutputAccess access(sequence);
  if (!access || !is_shown(sequence, position)) return;
  const auto store = [&](float* out) {
    if (out != nullptr) std::copy_n(hidden_row(row), hidden_size_, out + position * hidden_size_);
  };
  if (!sequence.hidden_states.empty()) store(sequence.hidden_states[hidden_state]);
  if (hidden_state == specification_.layers.size()) store(sequence.last_hidden_state);
}

// pooler_output = tanh(W x₀ + b), for all sequences that want it.
void BlockPass::run_poolers() {
  std::vector<size_t> wanting;
  for (size_t sequence = 0; sequence < block_.sequences.size(); ++sequence) {
    if (block_.sequences[sequence].sequence->pooler_output != nullptr) wanting.push_back(sequence);
  }
  const size_t most = std::max<size_t>(kGroupRows, pool_.thread_count() * kGroupLeastStrips * kernels_.gemm_rows);
  const LinearWeights& linear = weights_.pooler;
  const auto activate = kernels_.add_bias_activate_f32[static_cast<size_t>(Activation::kTanh)];
  for (size_t first = 0; first < wanting.size(); first += most) {
    throw_if_abandoned();
    const size_t count = std::min(most, wanting.size() - first);
    RowScratch& scratch = prepare(workspace_.shared_rows, count, kernels_.gemm_cols);
    const RowGroup group{0, count, Spread(pool_), scratch};
    float* rows = scratch.attended.data();
    float* output = scratch.output.data();
    pack(group, scratch.input_strips.data(), rows, hidden_stride_, hidden_size_, [&](size_t row) {
      std::copy_n(hidden_row(first_row(wanting[first + row])), hidden_size_, rows + row * hidden_stride_);
    });
    multiply(group.spread, kernels_,
             {.a = {scratch.input_strips.data(), count, hidden_size_},
              .w = &linear.matrix,
              .panel_end = linear.matrix.panel_count(),
              .c = output,
              .ldc = hidden_stride_},
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
    pool_f32(out, options.pooling, hidden_row(planned.key_begin), planned.uniform_attention ? 0 : planned.key_count,
             hidden_stride_, hidden_row(first_row(index)), hidden_size_, kernels_);
    if (options.normalize) normalize_l2_f32(out, hidden_size_, kernels_);
  });
}

}  // namespace bert_native
