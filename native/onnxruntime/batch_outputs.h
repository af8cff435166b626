#pragma once

#include <cstddef>
#include <vector>

#include "onnxruntime/batch_inputs.h"
#include "onnxruntime/graph_scratch.h"
#include "onnxruntime/graph_task.h"

namespace bert_native {

// Where a run of the graph writes to, and from there the results of a batch's rows.
class BatchOutputs {
 public:
  // Binds a caller's array itself where it lies as the graph's output does; else scratch memory. Throws kMemory.
  BatchOutputs(const BatchRows& batch, GraphScratch& scratch);

  const std::vector<GraphTensor>& tensors() const { return tensors_; }
  // Behind the run: what was not written in place goes to where it is wanted, through the gate. Throws kMemory.
  void deliver();

 private:
  float* direct(size_t output) const;
  void widen();
  void deliver_row(size_t row);
  void pool(size_t row);

  BatchRows batch_;
  GraphScratch& scratch_;
  std::vector<GraphTensor> tensors_;
  std::vector<bool> is_direct_;
  std::vector<const float*> values_;  // of each output, f32
};

// Results of a sequence of which nothing goes through the graph.
void write_zeros(const GraphTask& task, const Sequence& sequence);

}  // namespace bert_native
