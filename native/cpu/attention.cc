#include "cpu/attention.h"

#include <algorithm>
#include <cmath>

#include "cpu/product.h"

namespace bert_native {

namespace {

// Queries are taken in blocks of a few strips, few enough that their scores stay in the cache.
constexpr size_t kMaxBlockStrips = 4;
constexpr size_t kScoreElements = size_t{1} << 15;
constexpr size_t kTasksPerThread = 4;

// The work of one task on one (sequence, head).
class HeadAttention {
 public:
  HeadAttention(const AttentionLayer& layer, const PlannedBlock& block, const AttentionTask& task, float* projections,
                size_t stride, AttentionScratch& scratch, const KernelTable& kernels)
      : layer_(layer),
        block_(block),
        sequence_(block.sequences[task.sequence]),
        kernels_(kernels),
        scratch_(scratch),
        head_(task.head),
        stride_(stride),
        queries_(projections + task.head * layer.head_size),
        keys_(queries_ + layer.heads * layer.head_size),
        values_(keys_ + layer.heads * layer.head_size),
        key_count_(sequence_.key_count),
        score_stride_(row_stride(ceil_div(key_count_, kernels.gemm_cols) * kernels.gemm_cols)),
        scale_(1.0f / std::sqrt(static_cast<float>(layer.head_size))) {}

  void run(size_t query_begin, size_t query_end) {
    pack_keys();
    pack_values();
    const size_t block_rows =
        kernels_.gemm_rows *
        std::clamp<size_t>(kScoreElements / (score_stride_ * kernels_.gemm_rows), 1, kMaxBlockStrips);
    // Keys and the rows that are only queries do not lie together.
    const size_t split = std::clamp(key_count_, query_begin, query_end);
    run_rows(sequence_.key_begin + query_begin, sequence_.key_begin + split, block_rows);
    const size_t offset = sequence_.query_begin - key_count_;
    run_rows(offset + split, offset + query_end, block_rows);
  }

 private:
  using Slot = AttentionScratch;

  size_t depth() const { return layer_.head_size; }
  uint32_t position(size_t row) const { return block_.rows[row].position; }

  // Kᵀ as panels of gemm_cols keys.
  void pack_keys() {
    if (sequence_.uniform_attention) return;
    const size_t cols = kernels_.gemm_cols, panels = ceil_div(key_count_, cols);
    key_panels_ = scratch_.get(Slot::kKeyPanels, panels * depth() * cols);
    for (size_t panel = 0; panel < panels; ++panel) {
      const size_t key = panel * cols;
      kernels_.gemm_pack_panel_f32(key_panels_ + key * depth(), keys_ + (sequence_.key_begin + key) * stride_, stride_,
                                   std::min(cols, key_count_ - key), depth());
    }
  }

  // V as panels of gemm_cols columns.
  void pack_values() {
    const size_t cols = kernels_.gemm_cols, panels = ceil_div(depth(), cols);
    value_panels_ = scratch_.get(Slot::kValuePanels, panels * key_count_ * cols);
    for (size_t panel = 0; panel < panels; ++panel) {
      const size_t column = panel * cols;
      kernels_.gemm_pack_panel_transposed_f32(value_panels_ + column * key_count_,
                                              values_ + sequence_.key_begin * stride_ + column, stride_,
                                              std::min(cols, depth() - column), key_count_);
    }
  }

  void run_rows(size_t row_begin, size_t row_end, size_t block_rows) {
    for (size_t row = row_begin; row < row_end; row += block_rows) {
      run_block(row, std::min(block_rows, row_end - row));
    }
  }

  // Queries of `count` rows from `row` on.
  void run_block(size_t row, size_t count) {
    float* scores =
        scratch_.get(Slot::kScores, ceil_div(count, kernels_.gemm_rows) * kernels_.gemm_rows * score_stride_);
    if (sequence_.uniform_attention) {
      for (size_t r = 0; r < count; ++r) std::fill_n(scores + r * score_stride_, key_count_, 0.0f);
    } else {
      multiply_queries(row, count, scores);
    }
    for (size_t r = 0; r < count; ++r) {
      kernels_.softmax_f32(scores + r * score_stride_, scale_, key_count_);
      store_probabilities(row + r, scores + r * score_stride_);
    }
    multiply_values(row, count, scores);
  }

  // scores [count, key_count] = Q Kᵀ + relative positions
  void multiply_queries(size_t row, size_t count, float* scores) {
    const size_t rows = kernels_.gemm_rows, cols = kernels_.gemm_cols, strips = ceil_div(count, rows);
    float* packed = scratch_.get(Slot::kQueryStrips, strips * rows * depth());
    for (size_t strip = 0; strip < strips; ++strip) {
      pack_strip(kernels_, packed, queries_ + row * stride_, stride_, count, depth(), strip);
    }
    for (size_t key = 0; key < key_count_; key += cols) {
      for (size_t first = 0; first < count; first += rows) {
        kernels_.gemm_tile_f32(scores + first * score_stride_ + key, score_stride_, packed + first * depth(),
                               key_panels_ + key * depth(), std::min(rows, count - first), depth(), false);
      }
    }
    if (layer_.position == AttentionPosition::kNone) return;
    add_query_distances(row, count, packed, scores);
    if (layer_.position == AttentionPosition::kRelativeKeyQuery) add_key_distances(row, count, scores);
  }

  // Products of the rows of a strip with all distance vectors that lie between two of them.
  struct DistanceProducts {
    float* values;  // [gemm_rows, stride]
    size_t stride;
    size_t first;  // index of column 0

    float at(size_t r, size_t index) const { return values[r * stride + (index - first)]; }
  };

  // Index of the vector for query column l and key column r.
  size_t distance_index(size_t l, size_t r) const { return l + (layer_.max_position_embeddings - 1) - r; }

  DistanceProducts multiply_distances(const float* strip, size_t rows, size_t index_begin, size_t index_last) {
    const size_t cols = kernels_.gemm_cols;
    const size_t panel_begin = index_begin / cols, panel_end = index_last / cols + 1;
    const size_t stride = row_stride((panel_end - panel_begin) * cols);
    DistanceProducts products{scratch_.get(Slot::kDistanceProducts, kernels_.gemm_rows * stride), stride,
                              panel_begin * cols};
    for (size_t panel = panel_begin; panel < panel_end; ++panel) {
      kernels_.gemm_tile_f32(products.values + (panel - panel_begin) * cols, stride, strip,
                             reinterpret_cast<const float*>(layer_.distance->panel(panel)), rows, depth(), false);
    }
    return products;
  }

  // scores[l, r] += q_l · e_{l-r}     Shaw et al. 2018, eq. 5
  void add_query_distances(size_t row, size_t count, const float* query_strips, float* scores) {
    const size_t first_key = sequence_.key_begin, last_key = first_key + key_count_ - 1;
    for (size_t first = 0; first < count; first += kernels_.gemm_rows) {
      const size_t rows = std::min(kernels_.gemm_rows, count - first);
      const DistanceProducts products = multiply_distances(
          query_strips + first * depth(), rows, distance_index(position(row + first), position(last_key)),
          distance_index(position(row + first + rows - 1), position(first_key)));
      for (size_t r = 0; r < rows; ++r) {
        float* row_scores = scores + (first + r) * score_stride_;
        const size_t l = position(row + first + r);
        for (size_t key = 0; key < key_count_; ++key) {
          row_scores[key] += products.at(r, distance_index(l, position(first_key + key)));
        }
      }
    }
  }

  // scores[l, r] += k_r · e_{l-r}     Huang et al. 2020, method 4
  void add_key_distances(size_t row, size_t count, float* scores) {
    const size_t first_key = sequence_.key_begin;
    float* strip = scratch_.get(Slot::kKeyStrip, kernels_.gemm_rows * depth());
    for (size_t first = 0; first < key_count_; first += kernels_.gemm_rows) {
      const size_t rows = std::min(kernels_.gemm_rows, key_count_ - first);
      pack_strip(kernels_, strip, keys_ + (first_key + first) * stride_, stride_, rows, depth(), 0);
      const DistanceProducts products =
          multiply_distances(strip, rows, distance_index(position(row), position(first_key + first + rows - 1)),
                             distance_index(position(row + count - 1), position(first_key + first)));
      for (size_t q = 0; q < count; ++q) {
        const size_t l = position(row + q);
        for (size_t r = 0; r < rows; ++r) {
          scores[q * score_stride_ + first + r] += products.at(r, distance_index(l, position(first_key + first + r)));
        }
      }
    }
  }

  // Probabilities of one query, spread from the keys to the columns of the request.
  void store_probabilities(size_t row, const float* probabilities) {
    const Sequence& request = *sequence_.sequence;
    const size_t l = position(row);
    if (request.attentions.empty() || request.attentions[layer_.index] == nullptr || !is_shown(request, l)) return;
    const OutputAccess access(request);
    if (!access) return;
    float* out = request.attentions[layer_.index] + (head_ * request.length + l) * request.length;
    std::fill_n(out, request.length, 0.0f);
    for (size_t key = 0; key < key_count_; ++key) out[position(sequence_.key_begin + key)] = probabilities[key];
  }

  // The queries' place [count, D] = P V
  void multiply_values(size_t row, size_t count, const float* probabilities) {
    const size_t rows_per_strip = kernels_.gemm_rows, cols = kernels_.gemm_cols;
    float* strip = scratch_.get(Slot::kProbabilityStrip, rows_per_strip * key_count_);
    float* context = scratch_.get(Slot::kContext, rows_per_strip * cols);
    for (size_t first = 0; first < count; first += rows_per_strip) {
      const size_t rows = std::min(rows_per_strip, count - first);
      pack_strip(kernels_, strip, probabilities + first * score_stride_, score_stride_, rows, key_count_, 0);
      for (size_t column = 0; column < depth(); column += cols) {
        kernels_.gemm_tile_f32(context, cols, strip, value_panels_ + column * key_count_, rows, key_count_, false);
        for (size_t r = 0; r < rows; ++r) {
          std::copy_n(context + r * cols, std::min(cols, depth() - column),
                      queries_ + (row + first + r) * stride_ + column);
        }
      }
    }
  }

  const AttentionLayer& layer_;
  const PlannedBlock& block_;
  const PlannedSequence& sequence_;
  const KernelTable& kernels_;
  AttentionScratch& scratch_;
  size_t head_;
  size_t stride_;
  float* queries_;  // row 0 of the block, column 0 of the head
  const float* keys_;
  const float* values_;
  size_t key_count_;
  size_t score_stride_;
  float scale_;
  float* key_panels_ = nullptr;
  float* value_panels_ = nullptr;
};

}  // namespace

std::vector<AttentionTask> attention_tasks(const PlannedBlock& block, size_t heads, size_t threads,
                                           const KernelTable& kernels) {
  const size_t wanted = threads == 1 ? 1 : ceil_div(threads * kTasksPerThread, block.sequences.size() * heads);
  const size_t least_queries = kMaxBlockStrips * kernels.gemm_rows;  // else packing the keys would outweigh the rest
  std::vector<AttentionTask> tasks;
  for (size_t sequence = 0; sequence < block.sequences.size(); ++sequence) {
    const PlannedSequence& planned = block.sequences[sequence];
    const size_t queries = planned.key_count + planned.query_count;
    const size_t parts = std::clamp<size_t>(queries / least_queries, 1, wanted);
    for (size_t head = 0; head < heads; ++head) {
      for (size_t part = 0; part < parts; ++part) {
        tasks.push_back({sequence, head, part * queries / parts, (part + 1) * queries / parts});
      }
    }
  }
  return tasks;
}

std::vector<AttentionTask> first_row_attention_tasks(const PlannedBlock& block, size_t heads) {
  std::vector<AttentionTask> tasks;
  for (size_t sequence = 0; sequence < block.sequences.size(); ++sequence) {
    const PlannedSequence& planned = block.sequences[sequence];
    const bool is_key = planned.first_row < block.key_rows;
    const size_t query =
        is_key ? planned.first_row - planned.key_begin : planned.key_count + (planned.first_row - planned.query_begin);
    for (size_t head = 0; head < heads; ++head) tasks.push_back({sequence, head, query, query + 1});
  }
  return tasks;
}

void attend(const AttentionLayer& layer, const PlannedBlock& block, const AttentionTask& task, float* projections,
            size_t stride, AttentionScratch& scratch, const KernelTable& kernels) {
  HeadAttention(layer, block, task, projections, stride, scratch, kernels).run(task.query_begin, task.query_end);
}

}  // namespace bert_native
