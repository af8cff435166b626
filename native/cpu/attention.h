#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "common/aligned_buffer.h"
#include "cpu/packed_matrix.h"
#include "encoder/plan.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// Legend: A heads, D head size, S positions of the request, P max_position_embeddings.

// Keys that are scored at a time. Blocks count from a sequence's first key on, so that no result depends on how the
// queries are shared out. Softmax over several blocks keeps a running maximum and sum.
inline constexpr size_t kAttentionKeyBlock = 512;

// One layer's attention over a block: softmax((Q Kᵀ + relative positions) / √D) V per sequence and head, over the keys
// that the mask shows. Vaswani et al. 2017, eq. 1
struct AttentionLayer {
  size_t heads = 0, head_size = 0;
  const GemmKernels* gemm = nullptr;  // kF32's unless every key is seen and positions are none
  AttentionMask mask;
  AttentionPositionKind position = AttentionPositionKind::kNone;
  const PackedMatrix* distance = nullptr;  // [2P-1, D]: row l - r + P - 1 belongs to query column l and key column r
  size_t max_position_embeddings = 0;
  size_t index = 0;  // of the layer, which selects the output among Sequence::attentions
};

// A share of the work: some queries of one sequence under one head. Queries count from the sequence's first key row on,
// the rows that are only queries behind them.
struct AttentionTask {
  size_t sequence = 0;
  size_t head = 0;
  size_t query_begin = 0, query_end = 0;
};

// Tasks that keep `threads` busy. The queries of one head are cut where sequences and heads are too few, and where they
// are very many.
std::vector<AttentionTask> attention_tasks(const PlannedBlock& block, size_t heads, size_t threads);

// Tasks for the queries of position 0 alone.
std::vector<AttentionTask> first_row_attention_tasks(const PlannedBlock& block, size_t heads);

// Indices [begin, end) of a sequence's keys.
struct KeyRange {
  size_t begin = 0, end = 0;

  bool empty() const { return begin >= end; }
  size_t size() const { return empty() ? 0 : end - begin; }
  KeyRange within(KeyRange other) const { return {std::max(begin, other.begin), std::min(end, other.end)}; }
  bool contains(KeyRange other) const { return begin <= other.begin && other.end <= end; }
};

// The memory of one thread. It grows to what the task with the most keys needs: 2·D floats for each key that its
// queries see (3·D with kRelativeKeyQuery), and beside them up to 256 KiB, 512 KiB where strips have 32 rows, for head
// sizes up to 128; relative positions add up to gemm_rows floats for each column of the request.
class AttentionScratch {
 public:
  std::vector<KeyRange> seen;  // by each query of a block

  // The buffer in slot `slot`, at least `size` elements; what it held is lost when it grows.
  float* get(size_t slot, size_t size) {
    buffers_[slot].reserve(size);
    return buffers_[slot].data();
  }

  size_t size_in_bytes() const {
    size_t size = 0;
    for (const auto& buffer : buffers_) size += buffer.size_in_bytes();
    return size;
  }

  static constexpr size_t kKeyPanels = 0, kValuePanels = 1, kQueryStrips = 2, kScores = 3, kProbabilityStrip = 4,
                          kContext = 5, kKeyStrips = 6, kDistanceProducts = 7, kRunning = 8, kMeanValue = 9,
                          kTurnedValues = 10;

 private:
  AlignedBuffer<float> buffers_[11];
};

// Runs one task. projections: [rows, 3·A·D], row stride `stride`: queries, keys, values of every row of the block. The
// result takes the place of the queries. Probabilities go to the sequence's `attentions` where it wants them.
void attend(const AttentionLayer& layer, const PlannedBlock& block, const AttentionTask& task, float* projections,
            size_t stride, AttentionScratch& scratch, const KernelTable& kernels);

}  // namespace bert_native
