#include <algorithm>

#include "cpu/block_pass.h"

// What a group of rows goes through between two attentions.

namespace bert_native {

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

void BlockPass::normalize_row(float* out, const float* x, const NormWeights& norm,
                              const NormSpecification& specification, size_t n) const {
  kernels_.layer_norm_f32(out, x, norm.gamma.data(), norm.beta.data(), specification.eps, n);
}

bool BlockPass::is_masked(size_t row) const { return !is_key(sequence_of(row), planned_row(row).position); }

// --- embeddings ---

// Positions that count the tokens other than padding, as fairseq's do (Ott et al. 2019).
void BlockPass::count_positions() {
  const EmbeddingsSpecification& embeddings = specification_.embeddings;
  if (!embeddings.position_padding_id || embeddings.position != PositionEmbedding::kAbsolute) return;
  const int32_t padding = *embeddings.position_padding_id;
  positions_.resize(block_.rows.size());
  std::vector<size_t> of_column;
  for (const PlannedSequence& planned : block_.sequences) {
    const Sequence& sequence = *planned.sequence;
    size_t last = static_cast<size_t>(padding);
    of_column.resize(sequence.length);
    for (size_t column = 0; column < sequence.length; ++column) {
      const bool counts = sequence.inputs_embeds != nullptr || sequence.input_ids[column] != padding;
      of_column[column] = counts ? ++last : static_cast<size_t>(padding);
    }
    const auto assign = [&](size_t begin, size_t count) {
      for (size_t row = begin; row < begin + count; ++row) positions_[row] = of_column[block_.rows[row].position];
    };
    assign(planned.key_begin, planned.key_count);
    assign(planned.query_begin, planned.query_count);
  }
}

void BlockPass::embed(const RowGroup& group) {
  const EmbeddingsSpecification& embeddings = specification_.embeddings;
  const bool projects = embeddings.projection != ProjectionPlacement::kNone;
  if (projects) project_embeddings(group);
  finish_state(group, 0, [&](size_t row) {
    float* x = hidden_row(row);
    if (!projects) embed_row(row, x, group.scratch.output.data() + (row - group.begin) * embedding_stride_);
    if (embeddings.projection != ProjectionPlacement::kAfterNorm) {
      normalize_row(x, x, weights_.embeddings_norm, embeddings.norm, hidden_size_);
    }
    if (embeddings.zero_masked && is_masked(row)) std::fill_n(x, hidden_size_, 0.0f);
    if (specification_.convolution) std::copy_n(x, hidden_size_, embeddings_row(row));
  });
  if (!specification_.layers.empty()) project(group, 0);
}

// x [E] = word + token type + position, in the reference's order, each of the latter by way of `addend` [E].
void BlockPass::embed_row(size_t row, float* x, float* addend) const {
  const EmbeddingsSpecification& embeddings = specification_.embeddings;
  const size_t position = block_.rows[row].position, n = embeddings.embedding_size;
  const Sequence& sequence = sequence_of(row);
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
  if (embeddings.type_vocab_size > 0) {
    add_row(weights_.token_type,
            sequence.token_type_ids == nullptr ? 0 : static_cast<size_t>(sequence.token_type_ids[position]));
  }
  if (embeddings.position == PositionEmbedding::kAbsolute) {
    const size_t own = positions_.empty() ? position : positions_[row];
    add_row(weights_.position,
            sequence.position_ids == nullptr ? own : static_cast<size_t>(sequence.position_ids[position]));
  }
}

// hidden = e Wᵀ + b, e [E] the embeddings, normalised where the projection comes after the norm.
void BlockPass::project_embeddings(const RowGroup& group) {
  const EmbeddingsSpecification& embeddings = specification_.embeddings;
  const LinearWeights& linear = weights_.embeddings_projection;
  const size_t n = embeddings.embedding_size;
  float* rows = group.scratch.attended.data();
  const Strips strips = strips_of(group.scratch.input_strips.data(), group, DepthPieces(n));
  pack(group, strips, rows, embedding_stride_, [&](size_t row) {
    const size_t at = (row - group.begin) * embedding_stride_;
    embed_row(row, rows + at, group.scratch.output.data() + at);
    if (embeddings.projection == ProjectionPlacement::kAfterNorm) {
      normalize_row(rows + at, rows + at, weights_.embeddings_norm, embeddings.norm, n);
    }
  });
  multiply(group.spread,
           {.a = strips,
            .w = linear.matrix,
            .panel_end = linear.matrix.panel_count(),
            .c = hidden_row(group.begin),
            .ldc = hidden_stride_},
           [&](const Region& part) {
             for (size_t row = part.row_begin; linear.has_bias && row < part.row_end; ++row) {
               kernels_.add_bias_f32(hidden_row(group.begin + row) + part.col_begin,
                                     linear.bias.data() + part.col_begin, part.col_end - part.col_begin);
             }
           });
}

// --- layers ---

// projections = x [Wq; Wk; Wv]ᵀ + b, from the strips of x that finish_state() left behind. Rows that are only queries
// need no keys and values.
void BlockPass::project(const RowGroup& group, size_t layer) {
  const LinearWeights& linear = weights_.layer(layer).query_key_value;
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
             for (size_t row = part.row_begin; linear.has_bias && row < part.row_end; ++row) {
               kernels_.add_bias_f32(projections_row(group.begin + row) + part.col_begin,
                                     linear.bias.data() + part.col_begin, part.col_end - part.col_begin);
             }
           });
  if (const RotaryTable* table = weights_.rotary.of(layer)) rotate(group, layer, *table, only_queries);
}

// Turns queries and keys by the angles of their positions.
void BlockPass::rotate(const RowGroup& group, size_t layer, const RotaryTable& table, bool only_queries) {
  const AttentionSpecification& attention = specification_.layers[layer].attention;
  const size_t heads = attention.num_attention_heads * (only_queries ? 1 : 2);
  group.spread(group.count, [&](size_t begin, size_t end) {
    for (size_t row = group.begin + begin; row < group.begin + end; ++row) {
      const int32_t* ids = sequence_of(row).position_ids;
      const size_t column = planned_row(row).position;
      table.turn(projections_row(row), heads, attention.head_size,
                 ids == nullptr ? column : static_cast<size_t>(ids[column]));
    }
  });
}

void BlockPass::transform(const RowGroup& group, size_t layer) {
  transform_attention(group, layer);
  transform_mlp(group, layer);
  if (layer + 1 < specification_.layers.size()) project(group, layer + 1);
}

// attended = x + context Woᵀ + b, normalised where norms follow the sums; the MLP's input is packed.
void BlockPass::transform_attention(const RowGroup& group, size_t layer) {
  const LayerSpecification& specification = specification_.layers[layer];
  const LayerWeights& weights = weights_.layer(layer);
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
  const bool is_pre = specification.norm_placement == NormPlacement::kPre;
  float* normalized = is_pre ? group.scratch.output.data() : attended;
  pack(group, strips_of(packed, group, hidden_pieces_), normalized, hidden_stride_, [&](size_t row) {
    const size_t at = (row - group.begin) * hidden_stride_;
    normalize_row(normalized + at, attended + at, is_pre ? weights.mlp_norm : weights.attention_norm,
                  is_pre ? specification.mlp_norm : *specification.attention_norm, hidden_size_);
  });
}

// Columns of the MLP's inner layer that a group computes, activates and multiplies on at a time: one piece of the depth
// of the product that follows, or all where the threads work together.
size_t BlockPass::inner_columns(const RowGroup& group, const LayerWeights& layer) const {
  const PackedMatrix& down = layer.mlp_down.matrix;
  return group.shared ? down.inputs() : down.pieces().longest();
}

size_t BlockPass::inner_stride(size_t columns) const { return row_stride(ceil_div(columns, gemm_.cols) * gemm_.cols); }

// x = attended + Wdown act(Wup y + b) + b, y the strips that transform_attention() packed and the inner layer some
// columns at a time; normalised where norms follow the sums.
void BlockPass::transform_mlp(const RowGroup& group, size_t layer) {
  const LayerSpecification& specification = specification_.layers[layer];
  const LayerWeights& weights = weights_.layer(layer);
  const LinearWeights& down = weights.mlp_down;
  const bool is_pre = specification.norm_placement == NormPlacement::kPre;
  RowScratch& scratch = group.scratch;
  float* output = is_pre ? hidden_row(group.begin) : scratch.output.data();
  const size_t most_columns = inner_columns(group, weights), inner_size = down.matrix.inputs();
  for (size_t begin = 0; begin < inner_size; begin += most_columns) {
    const size_t columns = std::min(most_columns, inner_size - begin);
    const Strips activated = strips_of(scratch.inner_strips.data(), group, DepthPieces(columns));
    compute_inner(group, layer, begin, columns);
    pack(group, activated, scratch.inner.data(), inner_stride(most_columns), nullptr);
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
  const auto make_row = [&](size_t row) {
    if (is_pre) return;
    normalize_row(hidden_row(row), output + (row - group.begin) * hidden_stride_, weights.mlp_norm,
                  specification.mlp_norm, hidden_size_);
  };
  if (layer == 0 && specification_.convolution) {
    convolve(group, make_row);
  } else {
    finish_state(group, layer + 1, make_row);
  }
}

// Columns [begin, begin + columns) of the inner layer: act(up + b), or act(gate + b) · (up + b).
void BlockPass::compute_inner(const RowGroup& group, size_t layer, size_t begin, size_t columns) {
  const MlpSpecification& mlp = specification_.layers[layer].mlp;
  const LayerWeights& weights = weights_.layer(layer);
  const size_t activation = static_cast<size_t>(mlp.activation);
  const auto activate = kernels_.add_bias_activate_f32[activation];
  const auto gate = kernels_.gate_f32[activation];
  const size_t stride = inner_stride(inner_columns(group, weights));
  float* inner = group.scratch.inner.data();
  float* up = mlp.gated ? inner + group.count * stride : inner;
  const Strips x = strips_of(group.scratch.input_strips.data(), group, hidden_pieces_);
  const auto multiply_by = [&](const LinearWeights& linear, float* c, const auto& epilogue) {
    multiply(group.spread,
             {.a = x,
              .w = linear.matrix,
              .panel_begin = begin / gemm_.cols,
              .panel_end = ceil_div(begin + columns, gemm_.cols),
              .c = c,
              .ldc = stride},
             epilogue);
  };
  if (mlp.gated) multiply_by(weights.mlp_gate, inner, [](const Region&) {});
  multiply_by(weights.mlp_up, up, [&](const Region& part) {
    const size_t n = part.col_end - part.col_begin;
    const float* bias = weights.mlp_up.bias.data() + begin + part.col_begin;
    for (size_t row = part.row_begin; row < part.row_end; ++row) {
      const size_t at = row * stride + part.col_begin;
      if (mlp.gated) {
        gate(inner + at, weights.mlp_gate.bias.data() + begin + part.col_begin, up + at, bias, n);
      } else {
        activate(inner + at, bias, n);
      }
    }
  });
}

// --- the convolution behind the first layer: He et al. 2020, DeBERTa-v2 ---

// x = norm(x + act(conv(e) + b)) where make_row() makes x, and zeros at masked positions.
void BlockPass::convolve(const RowGroup& group, const std::function<void(size_t row)>& make_row) {
  const ConvolutionSpecification& convolution = *specification_.convolution;
  const ConvolutionWeights& weights = weights_.convolution;
  const auto activate = kernels_.add_bias_activate_f32[static_cast<size_t>(convolution.activation)];
  const size_t channels = hidden_size_ / convolution.groups, gathered_stride = row_stride(convolution_depth_);
  float* gathered = group.scratch.inner.data();
  float* output = group.scratch.output.data();
  const Strips strips = strips_of(group.scratch.input_strips.data(), group, DepthPieces(convolution_depth_));
  for (size_t i = 0; i < convolution.groups; ++i) {
    const PackedMatrix& matrix = weights.groups[i];
    const size_t begin = i * channels;
    pack(group, strips, gathered, gathered_stride, [&](size_t row) {
      if (i == 0) make_row(row);
      gather_columns(row, begin, channels, gathered + (row - group.begin) * gathered_stride);
    });
    multiply(
        group.spread,
        {.a = strips, .w = matrix, .panel_end = matrix.panel_count(), .c = output + begin, .ldc = convolution_stride_},
        [&](const Region& part) {
          for (size_t row = part.row_begin; row < part.row_end; ++row) {
            activate(output + row * convolution_stride_ + begin + part.col_begin,
                     weights.bias.data() + begin + part.col_begin, part.col_end - part.col_begin);
          }
        });
  }
  finish_state(group, 1, [&](size_t row) {
    float* x = hidden_row(row);
    if (is_masked(row)) {
      std::fill_n(x, hidden_size_, 0.0f);
      return;
    }
    kernels_.add_f32(x, output + (row - group.begin) * convolution_stride_, hidden_size_);
    normalize_row(x, x, weights.norm, convolution.norm, hidden_size_);
  });
}

// out [kernel_size, channels] = the embeddings of the columns around a row's, zeros where they are masked or none.
void BlockPass::gather_columns(size_t row, size_t channel_begin, size_t channels, float* out) const {
  std::fill_n(out, convolution_depth_, 0.0f);
  if (is_masked(row)) return;
  const auto [index, column] = planned_row(row);
  const PlannedSequence& planned = block_.sequences[index];
  const size_t reach = specification_.convolution->kernel_size / 2;
  size_t key = only_last_rows_ ? block_.last_rows[row] : row;
  while (key > planned.key_begin && block_.rows[key - 1].position + reach >= column) --key;
  for (; key < planned.key_begin + planned.key_count && block_.rows[key].position <= column + reach; ++key) {
    const size_t tap = block_.rows[key].position + reach - column;
    std::copy_n(embeddings_row(key) + channel_begin, channels, out + tap * channels);
  }
}

// --- what is shown, and goes into the next layer ---

// Hidden state `state` (0 the embeddings, n behind layer n - 1), which make_row() puts into the residual stream: it is
// stored, and packed as the layer behind it takes it.
void BlockPass::finish_state(const RowGroup& group, size_t state, const std::function<void(size_t row)>& make_row) {
  const auto show_row = [&](size_t row) {
    make_row(row);
    const std::vector<float*>& outputs = sequence_of(row).hidden_states;
    if (!outputs.empty()) store_row(row, outputs[state]);
  };
  if (state == specification_.layers.size()) {
    group.spread(group.count, [&](size_t begin, size_t end) {
      for (size_t row = group.begin + begin; row < group.begin + end; ++row) {
        show_row(row);
        finish_last_row(row);
      }
    });
    return;
  }
  const LayerSpecification& next = specification_.layers[state];
  const bool normalizes = next.norm_placement == NormPlacement::kPre && next.attention_norm;
  float* normalized = group.scratch.attended.data();
  const Strips strips = strips_of(group.scratch.input_strips.data(), group, hidden_pieces_);
  pack(group, strips, normalizes ? normalized : hidden_row(group.begin), hidden_stride_, [&](size_t row) {
    show_row(row);
    if (!normalizes) return;
    normalize_row(normalized + (row - group.begin) * hidden_stride_, hidden_row(row),
                  weights_.layer(state).attention_norm, *next.attention_norm, hidden_size_);
  });
}

void BlockPass::finish_last_row(size_t row) const {
  float* x = hidden_row(row);
  if (const auto& norm = specification_.final_norm) normalize_row(x, x, weights_.final_norm, *norm, hidden_size_);
  store_row(row, sequence_of(row).last_hidden_state);
}

// Copies a row of the residual stream to an output of its sequence, where that is wanted and shows it.
void BlockPass::store_row(size_t row, float* out) const {
  if (out == nullptr) return;
  const size_t position = planned_row(row).position;
  const Sequence& sequence = sequence_of(row);
  const OutputAccess access(sequence);
  if (access && is_shown(sequence, position)) std::copy_n(hidden_row(row), hidden_size_, out + position * hidden_size_);
}

}  // namespace bert_native
