#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "encoder/specification.h"
#include "onnxruntime/graph_binding.h"
#include "onnxruntime/session.h"

namespace bert_native {

// A graph that computes what an encoder computes. `specification` says how wide inputs and outputs are; its layers may
// be fewer than the graph's.
struct GraphEncoder {
  std::shared_ptr<const GraphSession> session;
  EncoderSpecification specification;
  GraphBinding binding;
  size_t token_budget = 0;          // of a batch: rows times columns
  size_t intra_op_threads = 1;      // that each run computes on, as the session was made
  uint64_t weights_size_bytes = 0;  // of the graph's files
};

// Whether the session has every input and output that the binding names, and no other input, of types and shapes that
// are exchanged with it. Throws kFileFormat or kUnsupportedModel, naming the value.
void check_graph_encoder(const GraphEncoder& encoder);

}  // namespace bert_native
