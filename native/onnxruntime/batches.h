#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bert_native {

// Rows that go through a graph together, padded to the same number of columns.
struct GraphBatch {
  std::vector<uint32_t> rows;  // of the call
  size_t columns = 0;
};

struct BatchLimits {
  size_t token_budget = 0;   // rows times columns, at least one row
  size_t fixed_rows = 0;     // every batch has so many rows, absent ones included; 0: any number
  size_t fixed_columns = 0;  // every batch has so many columns; 0: as many as its longest row
  size_t parts = 1;          // that many batches at least, where there are enough rows: for so many threads
  size_t run_cost = 16;      // what a run costs beside its tokens, in tokens: reading weights, starting operators
};

// Sorts rows by length and cuts them where padding and runs together cost least. What a row is batched with depends on
// the lengths of this call alone. The largest come first: the last batches to finish are small.
// Throws kShape for a length above fixed_columns.
std::vector<GraphBatch> plan_batches(const std::vector<size_t>& lengths, const BatchLimits& limits);

}  // namespace bert_native
