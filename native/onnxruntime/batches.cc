#include "onnxruntime/batches.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "common/errors.h"

namespace bert_native {

namespace {

// Of more rows than these, all sorted, little is gained by cutting them together.
constexpr size_t kRowsAtOnce = 4096;

// Rows by length, longest first, equal ones in their own order.
std::vector<uint32_t> sorted_rows(const std::vector<size_t>& lengths) {
  std::vector<uint32_t> rows(lengths.size());
  std::iota(rows.begin(), rows.end(), uint32_t{0});
  std::stable_sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) { return lengths[a] > lengths[b]; });
  return rows;
}

class Cutter {
 public:
  Cutter(const std::vector<size_t>& lengths, const BatchLimits& limits)
      : lengths_(lengths), limits_(limits), rows_(sorted_rows(lengths)) {}

  std::vector<GraphBatch> cut() const {
    std::vector<GraphBatch> batches;
    for (const auto& [begin, end] : limits_.fixed_rows > 0 ? fixed_cuts() : best_cuts()) {
      batches.push_back({{rows_.begin() + static_cast<ptrdiff_t>(begin), rows_.begin() + static_cast<ptrdiff_t>(end)},
                         columns_from(begin)});
    }
    const auto positions = [](const GraphBatch& batch) { return batch.rows.size() * batch.columns; };
    std::stable_sort(batches.begin(), batches.end(),
                     [&](const GraphBatch& a, const GraphBatch& b) { return positions(a) > positions(b); });
    return batches;
  }

 private:
  size_t columns_from(size_t row) const {
    return limits_.fixed_columns > 0 ? limits_.fixed_columns : lengths_[rows_[row]];
  }

  size_t rows_from(size_t begin, size_t budget) const {
    const size_t left = rows_.size() - begin;
    if (limits_.fixed_rows > 0) return std::min(left, limits_.fixed_rows);
    return std::clamp<size_t>(budget / std::max<size_t>(1, columns_from(begin)), 1, left);
  }

  using Cuts = std::vector<std::pair<size_t, size_t>>;  // first row and the one behind the last, of rows_

  Cuts fixed_cuts() const {
    Cuts cuts;
    for (size_t begin = 0; begin < rows_.size(); begin += limits_.fixed_rows) {
      cuts.emplace_back(begin, std::min(rows_.size(), begin + limits_.fixed_rows));
    }
    return cuts;
  }

  Cuts best_cuts() const {
    Cuts cuts;
    const size_t budget = even_budget();
    for (size_t begin = 0; begin < rows_.size(); begin += kRowsAtOnce) {
      const Cuts some = best_cuts(begin, std::min(rows_.size(), begin + kRowsAtOnce), budget);
      cuts.insert(cuts.end(), some.begin(), some.end());
    }
    return cuts;
  }

  // Of all ways to cut these rows within the budget, the one with the least sum of positions and costs of runs: the
  // cheapest way to cut the first rows, for one row after the other.
  Cuts best_cuts(size_t begin, size_t end, size_t budget) const {
    const size_t count = end - begin;
    std::vector<size_t> least(count + 1, std::numeric_limits<size_t>::max()), from(count + 1, 0);
    least[0] = 0;
    // Each row alone, unless something is cheaper: where a graph says that it has more columns than a sum can hold,
    // nothing is.
    std::iota(from.begin() + 1, from.end(), size_t{0});
    for (size_t row = 0; row < count; ++row) {
      const size_t columns = columns_from(begin + row), most = rows_from(begin + row, budget);
      for (size_t next = row + 1; next <= std::min(count, row + most); ++next) {
        const size_t cost = least[row] + (next - row) * columns + limits_.run_cost;
        if (cost >= least[next]) continue;
        least[next] = cost;
        from[next] = row;
      }
    }
    Cuts cuts;
    for (size_t row = count; row > 0; row = from[row]) cuts.emplace_back(begin + from[row], begin + row);
    std::reverse(cuts.begin(), cuts.end());
    return cuts;
  }

  size_t batches_at(size_t budget) const {
    size_t count = 0;
    for (size_t begin = 0; begin < rows_.size(); begin += rows_from(begin, budget)) ++count;
    return count;
  }

  // The least budget that gives no more batches than there are now, or would be in full rounds of `parts` batches: so
  // batches are of about the same size, and no thread is left with one when the others are done.
  size_t even_budget() const {
    const size_t most = std::max<size_t>(1, limits_.token_budget), parts = std::max<size_t>(1, limits_.parts);
    if (limits_.fixed_rows > 0) return most;
    const size_t wanted = std::min(rows_.size(), (batches_at(most) + parts - 1) / parts * parts);
    size_t low = 1, high = most;
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      if (batches_at(middle) <= wanted) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }

  const std::vector<size_t>& lengths_;
  const BatchLimits& limits_;
  std::vector<uint32_t> rows_;
};

}  // namespace

std::vector<GraphBatch> plan_batches(const std::vector<size_t>& lengths, const BatchLimits& limits) {
  for (size_t row = 0; limits.fixed_columns > 0 && row < lengths.size(); ++row) {
    if (lengths[row] <= limits.fixed_columns) continue;
    throw Error(ErrorCode::kShape, "row " + std::to_string(row) + " has " + std::to_string(lengths[row]) +
                                       " positions: the graph takes rows of " + std::to_string(limits.fixed_columns) +
                                       " at most");
  }
  return Cutter(lengths, limits).cut();
}

}  // namespace bert_native
