#pragma once

#include <cstddef>

#include "onnxruntime/graph_task.h"

namespace bert_native {

// Fills in what of the graph the task needs, how far each of its sequences goes through it, and the batches: `parts` of
// them at least, where there are enough rows. Sequences are checked; results of those that need no run are written.
// Throws kOption, kShape, kTokenId, kSequenceTooLong, kUnsupportedModel.
void plan_call(GraphTask& task, size_t parts);

}  // namespace bert_native
