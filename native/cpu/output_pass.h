#pragma once

#include <cstddef>
#include <vector>

#include "common/thread_pool.h"
#include "cpu/heads.h"
#include "cpu/pass_control.h"
#include "cpu/weights.h"
#include "encoder/plan.h"
#include "encoder/pooling.h"
#include "encoder/specification.h"
#include "kernels/kernel_table.h"

namespace bert_native {

// The states behind the last layer: row i is that of PlannedBlock::last_rows[i].
struct LastStates {
  const float* rows = nullptr;
  size_t stride = 0;

  const float* row(size_t index) const { return rows + index * stride; }
};

// Makes of a block's last states what its sequences want of them: pooled states, the pooler's output, heads.
class OutputPass {
 public:
  OutputPass(const EncoderSpecification& specification, const EncoderWeights& weights, const KernelTable& kernels,
             const PlannedBlock& block, const LastStates& states, ThreadPool& pool, PassControl& control,
             HeadScratch& scratch);

  // Throws kAborted where it is abandoned, and kMemory.
  void run();

 private:
  void pool_sequences();
  void run_pooler();
  void run_head(size_t index);
  void run_pooled_head(const Head& head, size_t index, const std::vector<Pooling>& modes);
  std::vector<HeadRow> token_rows(size_t index, size_t width) const;
  size_t state_of(size_t row) const;
  void copy_state(size_t index, float* out) const;
  void pool(const PlannedSequence& planned, const std::vector<Pooling>& modes, float* out) const;

  const EncoderSpecification& specification_;
  const EncoderWeights& weights_;
  const KernelTable& kernels_;
  const PlannedBlock& block_;
  const LastStates states_;
  ThreadPool& pool_;
  PassControl& control_;
  HeadRunner heads_;
};

}  // namespace bert_native
