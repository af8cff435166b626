#include "onnxruntime/batches.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "check_throws.h"
#include "harness.h"
#include "kernels/random.h"

namespace bert_native::test {

namespace {

std::vector<size_t> random_lengths(size_t count, size_t longest, uint32_t seed) {
  std::vector<size_t> lengths;
  for (uint32_t i = 0; i < count; ++i) lengths.push_back(1 + philox4x32({i, 0, 0, 0}, {seed, 0})[0] % longest);
  return lengths;
}

size_t padded(const std::vector<GraphBatch>& batches) {
  size_t tokens = 0;
  for (const GraphBatch& batch : batches) tokens += batch.rows.size() * batch.columns;
  return tokens;
}

void check_cover(const std::vector<GraphBatch>& batches, const std::vector<size_t>& lengths) {
  std::vector<size_t> seen(lengths.size());
  for (const GraphBatch& batch : batches) {
    BN_CHECK(!batch.rows.empty(), "a batch is empty");
    for (const uint32_t row : batch.rows) {
      ++seen.at(row);
      BN_CHECK(lengths[row] <= batch.columns, "a row is longer than its batch");
    }
  }
  BN_CHECK(std::all_of(seen.begin(), seen.end(), [](size_t count) { return count == 1; }),
           "a row is in no batch, or in two");
}

void covers_every_row_within_the_budget() {
  for (const size_t count : {0, 1, 2, 7, 100, 1000}) {
    for (const size_t parts : {1, 2, 16}) {
      const std::vector<size_t> lengths = random_lengths(count, 300, 5);
      const auto batches = plan_batches(lengths, {1024, 0, 0, parts});
      check_cover(batches, lengths);
      for (const GraphBatch& batch : batches) {
        BN_CHECK(batch.rows.size() == 1 || batch.rows.size() * batch.columns <= 1024, "a batch is above the budget");
      }
      BN_CHECK(batches.size() >= std::min(count, parts), "there are fewer batches than threads");
    }
  }
}

void pads_little() {
  const std::vector<size_t> lengths = random_lengths(512, 256, 6);
  const size_t tokens = std::accumulate(lengths.begin(), lengths.end(), size_t{0});
  const size_t with_padding = padded(plan_batches(lengths, {1024, 0, 0, 2}));
  BN_CHECK(with_padding * 100 < tokens * 106, std::to_string(with_padding) + " for " + std::to_string(tokens));
}

// The least cost of all ways to cut rows that are sorted: every set of places between two rows.
size_t least_cost(const std::vector<size_t>& sorted, size_t budget, size_t run_cost) {
  size_t least = SIZE_MAX;
  for (size_t places = 0; places < size_t{1} << (sorted.size() - 1); ++places) {
    size_t cost = 0, begin = 0;
    bool fits = true;
    for (size_t end = 1; end <= sorted.size(); ++end) {
      if (end < sorted.size() && (places >> (end - 1) & 1) == 0) continue;
      const size_t positions = (end - begin) * sorted[begin];
      fits = fits && (end - begin == 1 || positions <= budget);
      cost += positions + run_cost;
      begin = end;
    }
    if (fits) least = std::min(least, cost);
  }
  return least;
}

void cuts_where_it_costs_least() {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::vector<size_t> lengths = random_lengths(10, 100, 20 + seed);
    for (const size_t run_cost : {0, 1, 16, 64, 1000}) {
      const auto batches = plan_batches(lengths, {4096, 0, 0, 1, run_cost});
      std::sort(lengths.rbegin(), lengths.rend());
      const size_t cost = padded(batches) + batches.size() * run_cost, least = least_cost(lengths, 4096, run_cost);
      BN_CHECK(cost == least, std::to_string(cost) + " instead of " + std::to_string(least));
    }
  }
}

void puts_the_largest_first() {
  const auto batches = plan_batches(random_lengths(5000, 256, 7), {512, 0, 0, 2});
  const auto positions = [](const GraphBatch& batch) { return batch.rows.size() * batch.columns; };
  BN_CHECK(std::is_sorted(batches.begin(), batches.end(),
                          [&](const GraphBatch& a, const GraphBatch& b) { return positions(a) > positions(b); }),
           "a batch is larger than one before it");
}

void leaves_no_thread_alone() {
  // Three full batches for two threads: four smaller ones take no longer than two rounds.
  const auto batches = plan_batches(std::vector<size_t>(24, 128), {1024, 0, 0, 2});
  BN_CHECK(batches.size() == 4, std::to_string(batches.size()) + " batches");
  for (const GraphBatch& batch : batches) BN_CHECK(batch.rows.size() == 6, "batches are not even");
}

void keeps_the_order_of_equal_rows() {
  const auto batches = plan_batches({5, 9, 9, 5, 9}, {1000, 0, 0, 1});
  BN_CHECK(batches.size() == 1 && batches[0].columns == 9, "not one batch of 9 columns");
  BN_CHECK(batches[0].rows == std::vector<uint32_t>({1, 2, 4, 0, 3}), "rows stand in another order");
}

void takes_a_longer_row_alone() {
  const auto batches = plan_batches({3, 500, 2}, {100, 0, 0, 1});
  BN_CHECK(batches.size() == 2 && batches[0].rows == std::vector<uint32_t>{1}, "the long row is not alone");
}

void fills_fixed_shapes() {
  const auto batches = plan_batches({3, 8, 2, 5, 5}, {1, 2, 8, 4});
  BN_CHECK(batches.size() == 3, "not three batches of two rows");
  for (const GraphBatch& batch : batches) {
    BN_CHECK(batch.columns == 8 && batch.rows.size() <= 2, "a batch has another shape than the graph");
  }
  check_throws(ErrorCode::kShape, "row 1 has 9 positions: the graph takes rows of 8", [] {
    plan_batches({3, 9}, {1, 0, 8, 1});
  });
}

void keeps_the_budget_where_sums_overflow() {
  // Three rows cost as much as no way to cut them at all.
  constexpr size_t kThird = std::numeric_limits<size_t>::max() / 3;
  for (const size_t run_cost : {0, 16}) {
    const auto batches = plan_batches({3, 3, 3}, {100, 0, kThird - run_cost, 1, run_cost});
    BN_CHECK(batches.size() == 3, "rows of more columns than the budget are not alone");
  }
}

void add_tests() {
  add("onnxruntime/batches: covers every row within the budget", covers_every_row_within_the_budget);
  add("onnxruntime/batches: pads little", pads_little);
  add("onnxruntime/batches: cuts where it costs least", cuts_where_it_costs_least);
  add("onnxruntime/batches: puts the largest first", puts_the_largest_first);
  add("onnxruntime/batches: leaves no thread alone", leaves_no_thread_alone);
  add("onnxruntime/batches: keeps the order of equal rows", keeps_the_order_of_equal_rows);
  add("onnxruntime/batches: takes a longer row alone", takes_a_longer_row_alone);
  add("onnxruntime/batches: fills fixed shapes", fills_fixed_shapes);
  add("onnxruntime/batches: keeps the budget where sums overflow", keeps_the_budget_where_sums_overflow);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
