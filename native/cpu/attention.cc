#include "cpu/attention.h"

#include <algorithm>
#include <limits>

#include "cpu/product.h"
#include "cpu/relative_scores.h"

namespace bert_native {

namespace {

// Queries are taken in blocks of a few strips, few enough that their scores stay in the cache.
constexpr size_t kQueryStrips = 4;
// With key distances in more strips, at least so many: a key is multiplied with the vectors of all its distances from a
// block's queries, and these are more than the queries by a strip and a panel.
constexpr size_t kKeyDistanceQueries = 128;
// Keys of which the values are packed at a time, where they are not packed as f32; whole steps of any type's depth.
constexpr size_t kValueStep = 64;
static_assert(kAttentionKeyBlock % kValueStep == 0, "a block is whole steps of packed values");
static_assert(kAttentionKeyBlock % kGemmSumLength == 0, "a block is whole sums of the product with the values");

// The work of one task on one (sequence, head). Keys pass by in blocks, and no more than a block's scores are ever
// held: a running maximum and sum (Milakov & Gimelshein 2018) bring the blocks' parts of a result to one scale, as in
// Dao et al. 2022. Up to one block of keys the softmax is made at once.
class HeadAttention {
 public:
  HeadAttention(const AttentionLayer& layer, const PlannedBlock& block, const AttentionTask& task, float* projections,
                size_t stride, AttentionScratch& scratch, const KernelTable& kernels)
      : layer_(layer),
        block_(block),
        sequence_(block.sequences[task.sequence]),
        kernels_(kernels),
        gemm_(*layer.gemm),
        scratch_(scratch),
        head_(task.head),
        stride_(stride),
        queries_(projections + task.head * layer.head_size),
        keys_(queries_ + layer.heads * layer.head_size),
        values_(keys_ + layer.heads * layer.head_size),
        key_count_(sequence_.key_count),
        score_stride_(row_stride(ceil_div(std::min(key_count_, kAttentionKeyBlock), gemm_.cols) * gemm_.cols)),
        context_stride_(ceil_div(layer.head_size, gemm_.cols) * gemm_.cols),
        query_strip_bytes_(gemm_.strip_bytes(layer.head_size)),
        key_panel_bytes_(gemm_.panel_bytes(layer.head_size)),
        scale_(1.0f / layer.root()),
        query_block_rows_((layer.key_distances.panels == nullptr
                               ? kQueryStrips
                               : std::max(kQueryStrips, ceil_div(kKeyDistanceQueries, gemm_.rows))) *
                          gemm_.rows),
        visible_keys_(block, sequence_, layer.mask),
        relative_scores_(layer, task.head, visible_keys_, scratch, kernels) {}

  void run(size_t query_begin, size_t query_end) {
    const TileScope scope(gemm_);
    // Keys and the rows that are only queries do not lie together.
    const size_t split = std::clamp(key_count_, query_begin, query_end);
    const size_t offset = sequence_.query_begin - key_count_;
    const bool zero_masked = layer_.zero_masked_queries;
    run_rows(sequence_.key_begin + query_begin, sequence_.key_begin + split,
             zero_masked && sequence_.uniform_attention);
    run_rows(offset + split, offset + query_end, zero_masked);
  }

 private:
  using Slot = AttentionScratch;

  // What a block's queries have summed up: context [count, context_stride_], and for each the maximum and the sum of
  // its exponentials so far.
  struct Running {
    float* context;
    float* maxima;
    float* sums;
  };

  size_t depth() const { return layer_.head_size; }
  KeyRange visible(size_t row) const { return visible_keys_.from(block_.rows[row].position); }

  // --- parts of the work ---

  bool fits_one_block() const { return key_count_ <= kAttentionKeyBlock; }

  // Calls body(block) with the parts of `range` in each block of keys that it touches.
  template <class Body>
  static void for_each_block(KeyRange range, Body body) {
    if (range.empty()) return;
    for (size_t block = range.begin / kAttentionKeyBlock; block * kAttentionKeyBlock < range.end; ++block) {
      body(range.within({block * kAttentionKeyBlock, (block + 1) * kAttentionKeyBlock}));
    }
  }

  // Calls body(first, rows) for each strip of a number of rows.
  template <class Body>
  void for_each_strip(size_t count, Body body) const {
    for (size_t first = 0; first < count; first += gemm_.rows) {
      body(first, std::min(gemm_.rows, count - first));
    }
  }

  // --- packing, once for all queries of the task ---

  void pack(KeyRange range) {
    if (range.empty() || packed_.contains(range)) return;
    range.begin -= range.begin % gemm_.cols;
    packed_ = whole_sums(range);
    pack_keys();
    pack_values();
    if (layer_.key_distances.panels != nullptr) pack_key_strips();
  }

  const float* packed_row(const float* projection, size_t key) const {
    return projection + (sequence_.key_begin + key) * stride_;
  }

  // Memory of a slot, in bytes.
  std::byte* bytes(size_t slot, size_t size) {
    return reinterpret_cast<std::byte*>(scratch_.get(slot, ceil_div(size, sizeof(float))));
  }

  // Kᵀ as panels of gemm_.cols keys.
  void pack_keys() {
    const size_t cols = gemm_.cols;
    key_panels_ = bytes(Slot::kKeyPanels, ceil_div(packed_.size(), cols) * key_panel_bytes_);
    for (size_t key = packed_.begin; key < packed_.end; key += cols) {
      gemm_.pack_panel(key_panels_ + (key - packed_.begin) / cols * key_panel_bytes_, packed_row(keys_, key), stride_,
                       std::min(cols, packed_.end - key), depth());
    }
  }

  // V as panels of gemm_.cols columns, as many of them as make up a head.
  void pack_values() {
    const size_t cols = gemm_.cols, count = packed_.size();
    value_panel_bytes_ = gemm_.panel_bytes(ceil_div(count, kValueStep) * kValueStep);
    value_panels_ = bytes(Slot::kValuePanels, context_stride_ / cols * value_panel_bytes_);
    if (is_f32()) {
      for (size_t column = 0; column < depth(); column += cols) {
        kernels_.gemm_pack_panel_transposed_f32(
            reinterpret_cast<float*>(value_panels_ + column / cols * value_panel_bytes_),
            packed_row(values_, packed_.begin) + column, stride_, std::min(cols, depth() - column), count);
      }
      return;
    }
    // Some keys at a time: turned over to [D, keys], then packed as any other rows.
    const size_t step_bytes = gemm_.panel_bytes(kValueStep);
    for (size_t key = packed_.begin; key < packed_.end; key += kValueStep) {
      const float* turned = turn_values(key, std::min(kValueStep, packed_.end - key));
      std::byte* out = value_panels_ + (key - packed_.begin) / kValueStep * step_bytes;
      for (size_t column = 0; column < depth(); column += cols) {
        gemm_.pack_panel(out + column / cols * value_panel_bytes_, turned + column * kValueStep, kValueStep,
                         std::min(cols, depth() - column), kValueStep);
      }
    }
  }

  // Vᵀ [D, kValueStep] for `count` keys from `key` on, and zeros behind them.
  const float* turn_values(size_t key, size_t count) {
    const size_t lines = kernels_.gemm_cols;
    float* turned = scratch_.get(Slot::kTurnedValues, depth() * (kValueStep + lines));
    float* piece = turned + depth() * kValueStep;
    for (size_t first = 0; first < kValueStep; first += lines) {
      const size_t used = first < count ? std::min(lines, count - first) : 0;
      if (used > 0) kernels_.gemm_pack_panel_f32(piece, packed_row(values_, key + first), stride_, used, depth());
      for (size_t d = 0; d < depth(); ++d) {
        float* out = turned + d * kValueStep + first;
        if (used > 0) {
          std::copy_n(piece + d * lines, lines, out);
        } else {
          std::fill_n(out, lines, 0.0f);
        }
      }
    }
    return turned;
  }

  // The keys as rows, to be multiplied with distances.
  void pack_key_strips() {
    const size_t rows = kernels_.gemm_rows, count = packed_.size(), strips = ceil_div(count, rows);
    float* key_strips = scratch_.get(Slot::kKeyStrips, strips * rows * depth());
    for (size_t strip = 0; strip < strips; ++strip) {
      pack_strip(kernels_, key_strips, packed_row(keys_, packed_.begin), stride_, count, depth(), strip);
    }
    relative_scores_.set_keys(key_strips, packed_);
  }

  const std::byte* key_panel(size_t key) const {
    return key_panels_ + (key - packed_.begin) / gemm_.cols * key_panel_bytes_;
  }
  // Types other than f32 are packed in steps, and a range begins at one: see whole_sums().
  const std::byte* value_panel(size_t column, size_t key) const {
    return value_panels_ + column / gemm_.cols * value_panel_bytes_ +
           (key - packed_.begin) * gemm_.panel_bytes(kValueStep) / kValueStep;
  }
  // The range from where a sum of the product with the values begins. f32 can begin within one, other types cannot.
  KeyRange whole_sums(KeyRange range) const {
    return is_f32() ? range : KeyRange{range.begin - range.begin % kGemmSumLength, range.end};
  }
  bool is_f32() const { return layer_.gemm == &kernels_.gemm_of(MatrixType::kF32); }

  // --- blocks of queries ---

  void run_rows(size_t row_begin, size_t row_end, bool zero) {
    if (row_begin == row_end) return;
    if (zero) return store_zeros(row_begin, row_end);
    pack({visible(row_begin).begin, visible(row_end - 1).end});
    for (size_t row = row_begin; row < row_end; row += query_block_rows_) {
      run_block(row, std::min(query_block_rows_, row_end - row));
    }
  }

  void run_block(size_t row, size_t count) {
    const ScoredQueries queries{block_, row, count, pack_queries(row, count), find_seen(row, count)};
    const Running running = start(count);
    for_each_block(queries.seen_by(0, count), [&](KeyRange keys) {
      float* scores = score(queries, keys);
      for_each_strip(count, [&](size_t first, size_t rows) {
        const KeyRange seen = queries.seen_by(first, rows).within(keys);
        if (seen.empty()) return;
        const KeyRange range = whole_sums(seen);
        for (size_t r = first; r < first + rows; ++r) exponentiate(queries, r, range, scores, running);
        add_values(score_row(scores, first, range), rows, range, running.context + first * context_stride_);
      });
    });
    if (!fits_one_block() && wants_probabilities()) store_blocks(queries, running);
    finish(queries, running);
  }

  const std::byte* pack_queries(size_t row, size_t count) {
    std::byte* packed = bytes(Slot::kQueryStrips, ceil_div(count, gemm_.rows) * query_strip_bytes_);
    for_each_strip(count, [&](size_t first, size_t rows) {
      gemm_.pack_strip(packed + first / gemm_.rows * query_strip_bytes_, queries_ + (row + first) * stride_, stride_,
                       rows, depth());
    });
    return packed;
  }

  const KeyRange* find_seen(size_t row, size_t count) {
    scratch_.seen.resize(count);
    for (size_t r = 0; r < count; ++r) scratch_.seen[r] = visible(row + r);
    return scratch_.seen.data();
  }

  Running start(size_t count) {
    Running running;
    running.context = scratch_.get(Slot::kContext, count * context_stride_);
    running.maxima = scratch_.get(Slot::kRunning, 2 * count);
    running.sums = running.maxima + count;
    if (fits_one_block()) return running;  // it is written, not added to
    std::fill_n(running.context, count * context_stride_, 0.0f);
    std::fill_n(running.maxima, count, -std::numeric_limits<float>::infinity());
    std::fill_n(running.sums, count, 0.0f);
    return running;
  }

  // The scores of query r from the first key of a range on, which lies in one block of keys.
  float* score_row(float* scores, size_t r, KeyRange range) const {
    return scores + r * score_stride_ + range.begin % kAttentionKeyBlock;
  }

  // Turns the scores of a query over a block of keys into numerators of its probabilities, or into these themselves
  // where there is one block. Keys of its strip's `range` that it does not see get 0.
  void exponentiate(const ScoredQueries& queries, size_t r, KeyRange range, float* scores, const Running& running) {
    const KeyRange own = queries.seen[r].within(range);
    float* row = score_row(scores, r, range);
    if (own.empty()) {
      std::fill_n(row, range.size(), 0.0f);
      return;
    }
    float* x = score_row(scores, r, own);
    if (own.size() < range.size()) {
      std::fill(row, x, 0.0f);
      std::fill(x + own.size(), row + range.size(), 0.0f);
    }
    if (fits_one_block()) {
      kernels_.softmax_f32(x, scale_, own.size());
      if (wants_probabilities()) store_probabilities(queries, r, x, own);
      return;
    }
    const float correction = kernels_.softmax_part_f32(x, scale_, own.size(), running.maxima + r, running.sums + r);
    if (correction != 1) kernels_.scale_f32(running.context + r * context_stride_, correction, depth());
  }

  // context [rows, D] += P V (or = P V where there is one block), where p [rows, keys of the range] is a part of the
  // scores. The product's sums begin at multiples of kGemmSumLength keys, wherever the range does: what is left out in
  // front would add zeros.
  void add_values(const float* p, size_t rows, KeyRange range, float* context) {
    std::byte* strip = bytes(Slot::kProbabilityStrip, gemm_.strip_bytes(kAttentionKeyBlock));
    gemm_.pack_strip(strip, p, score_stride_, rows, range.size());
    for (size_t column = 0; column < depth(); column += gemm_.cols) {
      for (size_t begin = range.begin; begin < range.end;) {
        const size_t first_end = (begin / kGemmSumLength + 1) * kGemmSumLength;
        const size_t end = begin % kGemmSumLength == 0 ? range.end : std::min(range.end, first_end);
        gemm_.tile(context + column, context_stride_, strip + (begin - range.begin) * gemm_.rows * sizeof(float),
                   value_panel(column, begin), rows, end - begin, begin > range.begin || !fits_one_block(), {});
        begin = end;
      }
    }
  }

  // The contexts take the queries' place.
  void finish(const ScoredQueries& queries, const Running& running) {
    for (size_t r = 0; r < queries.count; ++r) {
      float* out = queries_ + (queries.row + r) * stride_;
      if (queries.seen[r].empty()) {
        std::copy_n(mean_value(), depth(), out);
        const float uniform = 1.0f / static_cast<float>(sequence_.sequence->length);
        if (wants_probabilities()) store_equal_probabilities(queries.row + r, uniform);
        continue;
      }
      std::copy_n(running.context + r * context_stride_, depth(), out);
      if (!fits_one_block()) kernels_.scale_f32(out, 1.0f / running.sums[r], depth());
    }
  }

  // --- scores ---

  // Q Kᵀ + relative positions [count, block of keys], where the strips see them.
  float* score(const ScoredQueries& queries, KeyRange keys) {
    const size_t cols = gemm_.cols;
    float* scores = scratch_.get(Slot::kScores, query_block_rows_ * score_stride_);
    for (size_t key = keys.begin - keys.begin % cols; key < keys.end; key += cols) {
      for_each_strip(queries.count, [&](size_t first, size_t rows) {
        const KeyRange panel{key, key + cols};
        if (queries.seen_by(first, rows).within(panel).empty()) return;
        gemm_.tile(score_row(scores, first, panel), score_stride_,
                   queries.strips + first / gemm_.rows * query_strip_bytes_, key_panel(key), rows, depth(), false, {});
      });
    }
    relative_scores_.add(queries, keys, {scores, score_stride_});
    return scores;
  }

  // --- probabilities ---

  bool wants_probabilities() const {
    const Sequence& request = *sequence_.sequence;
    return !request.attentions.empty() && request.attentions[layer_.index] != nullptr;
  }

  // Calls write(out) with the S probabilities of a query in the request's output, where it is shown.
  template <class Write>
  void write_probabilities(size_t row, Write write) const {
    const Sequence& request = *sequence_.sequence;
    const size_t l = block_.rows[row].position;
    if (!is_shown(request, l)) return;
    const OutputAccess access(request);
    if (access) write(request.attentions[layer_.index] + (head_ * request.length + l) * request.length);
  }

  // Spreads the probabilities of keys `range`, part of what query r sees, to the columns of the request.
  void store_probabilities(const ScoredQueries& queries, size_t r, const float* probabilities, KeyRange range) const {
    write_probabilities(queries.row + r, [&](float* out) {
      if (range.begin == queries.seen[r].begin) std::fill_n(out, sequence_.sequence->length, 0.0f);
      for (size_t key = range.begin; key < range.end; ++key)
        out[visible_keys_.column(key)] = probabilities[key - range.begin];
    });
  }

  void store_equal_probabilities(size_t row, float probability) const {
    write_probabilities(row, [&](float* out) { std::fill_n(out, sequence_.sequence->length, probability); });
  }

  // Contexts and probabilities of rows that attend to nothing.
  void store_zeros(size_t row_begin, size_t row_end) const {
    for (size_t row = row_begin; row < row_end; ++row) {
      std::fill_n(queries_ + row * stride_, depth(), 0.0f);
      if (wants_probabilities()) store_equal_probabilities(row, 0);
    }
  }

  // Scores the keys again, now that each query's maximum and sum are known.
  void store_blocks(const ScoredQueries& queries, const Running& running) {
    for_each_block(queries.seen_by(0, queries.count), [&](KeyRange keys) {
      float* scores = score(queries, keys);
      for (size_t r = 0; r < queries.count; ++r) {
        const KeyRange own = queries.seen[r].within(keys);
        if (own.empty()) continue;
        float* x = score_row(scores, r, own);
        float maximum = running.maxima[r], ignored = 0;
        kernels_.softmax_part_f32(x, scale_, own.size(), &maximum, &ignored);
        kernels_.scale_f32(x, 1.0f / running.sums[r], own.size());
        store_probabilities(queries, r, x, own);
      }
    });
  }

  // --- queries that see no key ---

  // The mean of V over all positions, in sums of sums like a product's.
  const float* mean_value() {
    if (mean_value_ != nullptr) return mean_value_;
    mean_value_ = scratch_.get(Slot::kMeanValue, 2 * depth());
    float* part = mean_value_ + depth();
    std::fill_n(mean_value_, depth(), 0.0f);
    const size_t length = key_count_ + sequence_.query_count;
    for (size_t begin = 0; begin < length; begin += kGemmSumLength) {
      std::fill_n(part, depth(), 0.0f);
      for (size_t i = begin; i < std::min(length, begin + kGemmSumLength); ++i) {
        const size_t row = i < key_count_ ? sequence_.key_begin + i : sequence_.query_begin + (i - key_count_);
        kernels_.add_f32(part, values_ + row * stride_, depth());
      }
      kernels_.add_f32(mean_value_, part, depth());
    }
    kernels_.scale_f32(mean_value_, 1.0f / static_cast<float>(length), depth());
    return mean_value_;
  }

  const AttentionLayer& layer_;
  const PlannedBlock& block_;
  const PlannedSequence& sequence_;
  const KernelTable& kernels_;
  const GemmKernels& gemm_;
  AttentionScratch& scratch_;
  size_t head_;
  size_t stride_;
  float* queries_;  // row 0 of the block, column 0 of the head
  const float* keys_;
  const float* values_;
  size_t key_count_;
  size_t score_stride_;
  size_t context_stride_;
  size_t query_strip_bytes_, key_panel_bytes_, value_panel_bytes_ = 0;
  float scale_;              // what scores are multiplied with
  size_t query_block_rows_;  // that are scored together
  VisibleKeys visible_keys_;
  RelativeScores relative_scores_;
  KeyRange packed_;
  std::byte* key_panels_ = nullptr;
  std::byte* value_panels_ = nullptr;
  float* mean_value_ = nullptr;
};

}  // namespace

const GemmKernels& attention_gemm(const AttentionSpecification& attention, bool rounded, const KernelTable& kernels) {
  const GemmKernels& bf16 = kernels.gemm_of(MatrixType::kBf16);
  const AttentionPositionKind kind = attention.position.kind;
  const bool by_vectors = kind == AttentionPositionKind::kRelativeKey ||
                          kind == AttentionPositionKind::kRelativeKeyQuery ||
                          kind == AttentionPositionKind::kDisentangled;
  return rounded && bf16.rounds_both && !by_vectors ? bf16 : kernels.gemm_of(MatrixType::kF32);
}

void attend(const AttentionLayer& layer, const PlannedBlock& block, const AttentionTask& task, float* projections,
            size_t stride, AttentionScratch& scratch, const KernelTable& kernels) {
  HeadAttention(layer, block, task, projections, stride, scratch, kernels).run(task.query_begin, task.query_end);
}

}  // namespace bert_native
