#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "onnxruntime/graph_scratch.h"
#include "onnxruntime/graph_task.h"

namespace bert_native {

// Rows of a task that go through the graph together.
struct BatchRows {
  const GraphTask& task;
  std::span<const uint32_t> rows;
  size_t columns;

  // As the graph has them, absent ones included.
  size_t graph_rows() const {
    const size_t fixed = task.encoder->binding.fixed_rows;
    return fixed > 0 ? fixed : rows.size();
  }
  const Sequence& sequence(size_t row) const { return task.sequences[rows[row]]; }
};

// The graph's inputs, padded, in scratch memory. Absent rows repeat the last one. Throws kMemory.
std::vector<GraphTensor> fill_inputs(const BatchRows& batch, GraphScratch& scratch);

}  // namespace bert_native
