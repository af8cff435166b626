#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "encoder/batch.h"
#include "encoder/parameter_source.h"
#include "encoder/specification.h"

namespace bert_native::test {

// The specification in double precision, written down as plainly as possible: padded, position by position, no packing.
// What it computes is what the Python reference does, masked positions included.

using Values = std::vector<double>;

struct ReferenceOutput {
  std::vector<Values> hidden_states;  // L+1 of [S,H]
  Values last_hidden_state;           // [S,H]: the last of them, behind the final norm
  std::vector<Values> attentions;     // L of [A,S,S]
  Values pooler_output;               // [H], where the model has a pooler
};

// sources: plain vectors of f32 only.
ReferenceOutput reference_encode(const EncoderSpecification& specification, const ParameterSources& sources,
                                 const Sequence& sequence);

// [H]. The mean and maximum over no position are zeros.
Values reference_pool(const Values& last_hidden_state, const Sequence& sequence, size_t hidden_size, Pooling pooling,
                      bool normalize);

}  // namespace bert_native::test
