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

// Memory for the rows that one job carries through a layer. H hidden_size, A·D width of attention.
struct RowScratch {
  AlignedBuffer<std::byte> input_strips;  // packed [rows, max(H, A·D)]
  AlignedBuffer<std::byte> inner_strips;  // packed [rows, columns of the MLP's inner layer that are computed at a time]
  AlignedBuffer<float> attended;          // [rows, H]: after attention and its norm
  AlignedBuffer<float> inner;             // [rows, columns as above]
  AlignedBuffer<float> output;            // [rows, H]

  size_t size_in_bytes() const;
};

// The memory of one block at a time, of any encoder: it grows to what the largest needs.
struct Workspace {
  AlignedBuffer<float> hidden;       // [rows, H], the residual stream
  AlignedBuffer<float> projections;  // [rows, 3·A·D]: queries, keys, values; attention puts its result over the queries
  RowScratch shared_rows;            // for the jobs that all threads do together
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

  void embed(const RowGroup& group);
  void embed_row(size_t row, float* addend);
  void project(const RowGroup& group, size_t layer);
  AttentionLayer attention_layer(size_t layer) const;
  void attend_layer(size_t layer);
  void transform(const RowGroup& group, size_t layer);
  void transform_attention(const RowGroup& group, size_t layer);
  void transform_mlp(const RowGroup& group, size_t layer);
  void store_row(size_t row, size_t hidden_state) const;

  Strips strips_of(std::byte* data, const RowGroup& group, const DepthPieces& pieces) const;
  void pack(const RowGroup& group, Strips strips, const float* a, size_t lda,
            const std::function<void(size_t row)>& before) const;
  size_t inner_columns(const RowGroup& group, const LayerWeights& layer) const;
  void normalize_row(float* out, const float* x, const NormWeights& norm) const;
  float* hidden_row(size_t row) const { return workspace_.hidden.data() + row * hidden_stride_; }
  float* projections_row(size_t row) const { return workspace_.projections.data() + row * projection_stride_; }

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
  size_t hidden_stride_, projection_stride_;
  size_t row_count_;  // rows in the workspace
  bool only_last_rows_ = false;  // row i of the workspace is PlannedBlock::last_rows[i]: the others are not needed
};

}  // namespace bert_native
