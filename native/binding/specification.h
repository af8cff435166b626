#pragma once

#include <vector>

#include "binding/values.h"
#include "encoder/specification.h"

namespace bert_native {

// The object of lib/engines/specification.ts. Throws kOption where it is none, kConfig where check_specification()
// does.
EncoderSpecification read_specification(const Fields& object);

// The field `modes`: an array of names, at least one.
std::vector<Pooling> read_pooling_modes(const Fields& object);

}  // namespace bert_native
