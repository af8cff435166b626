#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "cpu/attention.h"
#include "cpu/heads.h"
#include "cpu/pass_control.h"
#include "cpu/product.h"
#include "cpu/weights.h"
#include "encoder/plan.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// Memory for the rows that one job carries through a layer. H hidden_size, E embedding_size, A·D width of attention.
struct RowScratch {
  AlignedBuffer<std::byte> input_strips;  // packed [rows, max(H, E, A·D)]
  AlignedBuffer<std::byte> inner_strips;  // packed [rows, columns of the MLP's inner layer that are computed at a time]
  AlignedBuffer<float> attended;          // [rows, max(H, E)]: what the MLP's result is added to
  AlignedBuffer<float> inner;             // [rows, columns as above], twice where the MLP is gated
  AlignedBuffer<float> output;            // [rows, max(H, E)]

  size_t size_in_bytes() const;
};

// The memory of one block at a time, of any encoder: it grows to what the largest needs.
struct Workspace {
  AlignedBuffer<float> hidden;       // [rows, H], the residual stream
  AlignedBuffer<float> projections;  // [rows, 3·A·D]: queries, keys, values; attention puts its result over the queries
  AlignedBuffer<float> embeddings;  // [rows, H], where a convolution needs them later
  RowScratch shared_rows;           // for the jobs that all threads do together
  std::vector<RowScratch> thread_rows;
  std::vector<AttentionScratch> thread_attention;
  HeadScratch heads;

  size_t size_in_bytes() const;
};

// One block of a forward pass. What a row goes through between two attentions depends on that row alone, so the pass
// alternates between attention, shared out by sequence and head, and everything else, shared out by rows: each thread
// carries a group of rows from one attention to the next while they stay in its cache. Where there are too few rows for
// that, the threads share the columns of each product instead.
class BlockPass {
 public:
  BlockPass(const EncoderSpecification& specification, const EncoderWeights& weights, const KernelTable& kernels,
            const PlannedBlock& block, ThreadPool& pool, PassControl& control, Workspace& workspace);

  // Fills every output of the block's sequences. Throws kAborted where it is abandoned, and kMemory.
  void run();

 private:
  // Rows [begin, begin + count) of the block, and how the work on them is shared.
  struct RowGroup {
    size_t begin, count;
    Spread spread;
    RowScratch& scratch;
    bool shared;  // among all threads
  };

  void keep_only_last_rows();
  RowScratch& prepare(RowScratch& scratch, size_t rows, size_t inner_columns) const;
  void for_row_groups(const std::function<void(const RowGroup&)>& body);

  void count_positions();
  void embed(const RowGroup& group);
  void embed_row(size_t row, float* x, float* addend) const;
  void project_embeddings(const RowGroup& group);
  void project(const RowGroup& group, size_t layer);
  void rotate(const RowGroup& group, size_t layer, const RotaryTable& table, bool only_queries);
  AttentionLayer attention_layer(size_t layer) const;
  void attend_layer(size_t layer);
  void transform(const RowGroup& group, size_t layer);
  void transform_attention(const RowGroup& group, size_t layer);
  void transform_mlp(const RowGroup& group, size_t layer);
  void compute_inner(const RowGroup& group, size_t layer, size_t begin, size_t columns);
  void convolve(const RowGroup& group, const std::function<void(size_t row)>& make_row);
  void gather_columns(size_t row, size_t channel_begin, size_t channels, float* out) const;
  void finish_state(const RowGroup& group, size_t state, const std::function<void(size_t row)>& make_row);
  void finish_last_row(size_t row) const;
  void store_row(size_t row, float* out) const;

  Strips strips_of(std::byte* data, const RowGroup& group, const DepthPieces& pieces) const;
  void pack(const RowGroup& group, Strips strips, const float* a, size_t lda,
            const std::function<void(size_t row)>& before) const;
  size_t inner_columns(const RowGroup& group, const LayerWeights& layer) const;
  size_t inner_stride(size_t columns) const;
  void normalize_row(float* out, const float* x, const NormWeights& norm, const NormSpecification& specification,
                     size_t n) const;
  bool is_masked(size_t row) const;
  float* hidden_row(size_t row) const { return workspace_.hidden.data() + row * hidden_stride_; }
  float* embeddings_row(size_t row) const { return workspace_.embeddings.data() + row * hidden_stride_; }
  float* projections_row(size_t row) const { return workspace_.projections.data() + row * projection_stride_; }
  const PlannedRow& planned_row(size_t row) const { return block_.rows[only_last_rows_ ? block_.last_rows[row] : row]; }
  const Sequence& sequence_of(size_t row) const { return *block_.sequences[planned_row(row).sequence].sequence; }

  const EncoderSpecification& specification_;
  const EncoderWeights& weights_;
  const KernelTable& kernels_;
  const GemmKernels& gemm_;
  const PlannedBlock& block_;
  ThreadPool& pool_;
  PassControl& control_;
  Workspace& workspace_;
  size_t hidden_size_;
  DepthPieces hidden_pieces_;
  size_t widest_attention_ = 0, widest_inner_ = 0, longest_inner_piece_ = 0;
  bool any_gate_ = false;
  size_t hidden_stride_, projection_stride_, embedding_stride_;
  size_t convolution_stride_ = 0, convolution_depth_ = 0;
  std::vector<size_t> positions_;  // of each row, where they count tokens
  size_t row_count_;               // rows in the workspace
  bool only_last_rows_ = false;    // row i of the workspace is PlannedBlock::last_rows[i]: the others are not needed
};

}  // namespace bert_native
