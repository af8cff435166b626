#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "encoder/batch.h"
#include "encoder/specification.h"

namespace bert_native::test {

// Poolings and heads in double precision, row by row.

using Row = std::vector<double>;
using Rows = std::vector<Row>;  // of each position

// A parameter's values, row-major.
using ReadParameter = std::function<std::vector<float>(const std::string& name)>;

// Positions that a mode pools over are those whose mask is 1, without the first `skip` of them; kCls takes position 0.
Row naive_pool(const Rows& states, const Sequence& sequence, const std::vector<Pooling>& modes, size_t skip);

Row naive_normalize(Row x);

Row naive_pooler(const Row& x, const EncoderSpecification& specification, const ReadParameter& read);

// One row of the head's input through all of its steps.
Row naive_head(const Row& x, const HeadSpecification& head, const ReadParameter& read);

}  // namespace bert_native::test
