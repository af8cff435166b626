#include "onnxruntime/batches.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "common/errors.h"

namespace bert_native {

namespace {

// A batch of so many tokens ends before a row that is shorter than that share of its columns: what the padding would
// cost is more than what another batch does.
constexpr size_t kRaggedTokens = 128, kRaggedNumerator = 3, kRaggedDenominator = 4;

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
    if (rows_.empty()) return batches;
    const size_t budget = even_budget();
    for (size_t begin = 0; begin < rows_.size();) {
      const size_t end = begin + rows_from(begin, budget);
      batches.push_back({{rows_.begin() + static_cast<ptrdiff_t>(begin), rows_.begin() + static_cast<ptrdiff_t>(end)},
                         columns_from(begin)});
      begin = end;
    }
    return batches;
  }

 private:
  size_t columns_from(size_t row) const {
    return limits_.fixed_columns > 0 ? limits_.fixed_columns : lengths_[rows_[row]];
  }

  size_t rows_from(size_t begin, size_t budget) const {
    const size_t left = rows_.size() - begin;
    if (limits_.fixed_rows > 0) return std::min(left, limits_.fixed_rows);
    const size_t columns = std::max<size_t>(1, columns_from(begin));
    const size_t most = std::clamp<size_t>(budget / columns, 1, left);
    if (limits_.fixed_columns > 0) return most;
    for (size_t rows = (kRaggedTokens + columns - 1) / columns; rows < most; ++rows) {
      if (lengths_[rows_[begin + rows]] * kRaggedDenominator < columns * kRaggedNumerator) return rows;
    }
    return most;
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
