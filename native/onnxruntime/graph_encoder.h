#pragma once

#include <cstddef>
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
  size_t token_budget = 0;  // of a batch: rows times columns
};

}  // namespace bert_native
