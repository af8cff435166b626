#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "common/aligned_buffer.h"
#include "cpu/relative_positions.h"
#include "cpu/visible_keys.h"
#include "encoder/plan.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// Legend: A heads, D head size, S positions of the request.

// Keys that are scored at a time. Blocks count from a sequence's first key on, so that no result depends on how the
// queries are shared out. Softmax over several blocks keeps a running maximum and sum.
inline constexpr size_t kAttentionKeyBlock = 512;

// One layer's attention over a block, per sequence and head, over the keys that the mask shows: softmax(s) V with
// s_lr = (q_l · k_r + q_l · a_d + k_r · b_d) / √(D · scale_factor) + c_d, Vaswani et al. 2017, eq. 1, with what
// relative positions add; d is the row for l - r. Rotary positions are in the projections already.
struct AttentionLayer {
  size_t heads = 0, head_size = 0;
  const GemmKernels* gemm = nullptr;  // attention_gemm()
  AttentionMask mask;
  float scale_factor = 1;
  bool zero_masked_queries = false;  // rows that are only queries get zeros, and all where no position is unmasked
  const DistanceRows* distance_rows = nullptr;  // of all three, whichever there are
  DistanceVectors query_distances;              // a
  DistanceVectors key_distances;                // b
  const float* bias = nullptr;                  // c [rows, A]
  size_t index = 0;                             // of the layer, which selects the output among Sequence::attentions

  // √(D · scale_factor)
  float root() const { return std::sqrt(static_cast<float>(head_size) * scale_factor); }
};

// The products that attention of this kind is made of. `rounded`: whether the weights are kept in 16 bits or fewer,
// which lets attention do the same with its operands where that is faster.
const GemmKernels& attention_gemm(const AttentionSpecification& attention, bool rounded, const KernelTable& kernels);

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

// What is left of them where only PlannedBlock::last_rows are needed behind the layer, and few rows between them.
std::vector<AttentionTask> last_row_attention_tasks(const PlannedBlock& block, const std::vector<AttentionTask>& tasks);

// The memory of one thread. It grows to what the task with the most keys needs: 2·D floats for each key that its
// queries see (3·D with key_distances), and beside them up to 256 KiB, 512 KiB where strips have 32 rows or with
// key_distances, for head sizes up to 128; distance vectors add up to gemm_rows floats for each of their rows that lies
// between two of those needed.
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
                          kTurnedValues = 10, kTurnedProducts = 11;

 private:
  AlignedBuffer<float> buffers_[12];
};

// Runs one task. projections: [rows, 3·A·D], row stride `stride`: queries, keys, values of every row of the block. The
// result takes the place of the queries. Probabilities go to the sequence's `attentions` where it wants them.
void attend(const AttentionLayer& layer, const PlannedBlock& block, const AttentionTask& task, float* projections,
            size_t stride, AttentionScratch& scratch, const KernelTable& kernels);

}  // namespace bert_native
