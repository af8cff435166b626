// How rows of any lengths are cut into a graph's batches: each row once, within the budget, padded as little as
// promised.

#include <algorithm>
#include <vector>

#include "common/errors.h"
#include "fuzz/fuzz_target.h"
#include "onnxruntime/batches.h"

namespace bert_native::fuzz {

static void run_batches(FuzzInput& input) {
  BatchLimits limits;
  limits.token_budget = input.length(200);
  limits.fixed_rows = input.flag() ? 0 : input.length(9);
  limits.fixed_columns = input.flag() ? 0 : input.length(64);
  limits.parts = input.length(8);
  std::vector<size_t> lengths;
  while (!input.empty() && lengths.size() < 500) lengths.push_back(input.length(64));
  std::vector<GraphBatch> batches;
  try {
    batches = plan_batches(lengths, limits);
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kShape && limits.fixed_columns > 0, error.what());
    return;
  }
  std::vector<int> times(lengths.size());
  for (const GraphBatch& batch : batches) {
    require(!batch.rows.empty(), "a batch has rows");
    require(limits.fixed_columns == 0 || batch.columns == limits.fixed_columns, "the columns that the graph has");
    require(limits.fixed_rows == 0 || batch.rows.size() <= limits.fixed_rows, "no more rows than the graph has");
    size_t longest = 0;
    for (const uint32_t row : batch.rows) {
      require(row < lengths.size(), "a row of the call");
      ++times[row];
      longest = std::max(longest, lengths[row]);
    }
    require(longest <= batch.columns, "rows fit their batch");
    require(limits.fixed_columns > 0 || longest == batch.columns, "no more columns than the longest row");
    const bool within = limits.fixed_rows > 0 || batch.rows.size() == 1 || batch.columns == 0 ||
                        batch.rows.size() <= std::max<size_t>(1, limits.token_budget) / batch.columns;
    require(within, "the budget");
  }
  require(std::all_of(times.begin(), times.end(), [](int count) { return count == 1; }), "each row once");
}

BN_FUZZ_TARGET(batches, run_batches)

}  // namespace bert_native::fuzz
