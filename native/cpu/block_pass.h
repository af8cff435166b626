#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/thread_pool.h"
#include "cpu/attention.h"
#include "cpu/product.h"
#include "cpu/weights.h"
#include "encoder/plan.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// Memory for the rows that one job carries through a layer. H hidden_size, A·D width of attention.
struct RowScratch {
  size_t rows = 0;                    // that it has room for
  size_t chunk = 0;                   // columns of the MLP's inner layer that it has room for
  AlignedBuffer<float> input_strips;  // packed [rows, max(H, A·D)]
  AlignedBuffer<float> inner_strips;  // packed [rows, chunk]
  AlignedBuffer<float> attended;      // [rows, H]: after attention and its norm
  AlignedBuffer<float> inner;         // [rows, chunk]
  AlignedBuffer<float> output;        // [rows, H]
};

// The memory of one forward pass, kept from block to block.
struct Workspace {
  AlignedBuffer<float> hidden;       // [rows, H], the residual stream
  AlignedBuffer<float> projections;  // [rows, 3·A·D]: queries, keys, values; attention puts its result over the queries
  RowScratch shared_rows;            // for the jobs that all threads do together
  std::vector<RowScratch> thread_rows;
  std::vector<AttentionScratch> thread_attention;
};

// One block of a forward pass. What a row goes through between two attentions depends on that row alone, so the pass
// alternates between attention, shared out by sequence and head, and everything else, shared out by rows: each thread
// carries a group of rows from one attention to the next while they stay in its cache. Where there are too few rows for
// that, the threads share the columns of each product instead.
class BlockPass {
 public:
  BlockPass(const EncoderSpecification& specification, const EncoderWeights& weights, const KernelTable& kernels,
            const PlannedBlock& block, const BatchOptions& options, ThreadPool& pool,
            const std::atomic<bool>& cancelled, Workspace& workspace);

  // Fills every output of the block's sequences. Throws kAborted, kMemory.
  void run();

 private:
  // Rows [begin, begin + count) of the block, and how the work on them is shared.
  struct RowGroup {
    size_t begin, count;
    Spread spread;
    RowScratch& scratch;
  };

  bool wants_only_first_rows() const;
  void keep_only_first_rows();
  size_t first_row(size_t sequence) const;
  void throw_if_cancelled() const;
  RowScratch& prepare(RowScratch& scratch, size_t rows, size_t chunk) const;
  void for_row_groups(const std::function<void(const RowGroup&)>& body);

  void embed(const RowGroup& group);
  void embed_row(size_t row);
  void project(const RowGroup& group, size_t layer);
  void attend_layer(size_t layer);
  void transform(const RowGroup& group, size_t layer);
  void transform_attention(const RowGroup& group, size_t layer);
  void transform_mlp(const RowGroup& group, size_t layer);
  void store_row(size_t row, size_t hidden_state) const;
  void pool();
  void run_poolers();

  void pack(const RowGroup& group, float* strips, const float* a, size_t lda, size_t depth,
            const std::function<void(size_t row)>& before) const;
  void normalize_row(float* out, const float* x, const NormWeights& norm) const;
  float* hidden_row(size_t row) const { return workspace_.hidden.data() + row * hidden_stride_; }
  float* projections_row(size_t row) const { return workspace_.projections.data() + row * projection_stride_; }

  const EncoderSpecification& specification_;
  const EncoderWeights& weights_;
  const KernelTable& kernels_;
  const PlannedBlock& block_;
  const BatchOptions& options_;
  ThreadPool& pool_;
  const std::atomic<bool>& cancelled_;
  Workspace& workspace_;
  size_t hidden_size_;
  size_t widest_attention_ = 0, widest_inner_ = 0;
  size_t hidden_stride_, projection_stride_;
  size_t row_count_;  // rows in the workspace
  bool only_first_rows_ =
      false;  // row i of the workspace is position 0 of sequence i: the others are not needed any more
};

}  // namespace bert_native
