#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "encoder/forward_call.h"
#include "onnxruntime/batches.h"
#include "onnxruntime/graph_encoder.h"
#include "onnxruntime/graph_values.h"

namespace bert_native {

// One call on its way through a graph.
struct GraphTask : ForwardCall {
  std::shared_ptr<const GraphEncoder> encoder;
  // Whether the memory of the outputs stays until `done` is called, even where the call was cancelled: a graph may
  // write to it directly then. Else every write passes the gate.
  bool outputs_stay = false;

  // Made by the runner at the call.
  GraphValues values;
  std::vector<uint32_t> columns;  // of each sequence, that go through the graph; 0: nothing does
  std::vector<GraphBatch> batches;
  RunTermination termination;

  // Of the runner and its queue, under the runner's lock.
  size_t waiting_tokens = 0;  // of the batches from `next` on
  size_t next = 0;            // the first batch that was not taken yet
  size_t running = 0;         // batches
  bool settled = false;       // `done` is about to be called, or will not be
  bool small = false;
  uint64_t arrival = 0;
  double virtual_time = 0;
  std::exception_ptr failure;

  size_t tokens(const GraphBatch& batch) const {
    size_t count = 0;
    for (const uint32_t row : batch.rows) count += columns[row];
    return count;
  }
};

}  // namespace bert_native
