#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <vector>

#include "encoder/batch.h"
#include "onnxruntime/fake_session.h"
#include "onnxruntime/graph_task.h"

namespace bert_native::test {

// One row of a call, and what is wanted of it.
struct GraphRow {
  std::vector<int32_t> ids;
  std::vector<uint8_t> mask;  // empty: nothing is masked
  std::vector<int32_t> types = {}, positions = {};
};

struct GraphWanted {
  bool states = false, pooler = false, layers = false, heads = false;
  std::vector<Pooling> pooling = {};
  bool normalize = false;
  size_t skip = 0;
  std::vector<int32_t> head_positions = {};  // of every row
  bool compute_masked = false;
};

// A call with the memory of its rows and, row behind row in one array each, of its outputs, which start as NaN.
struct GraphCall : GraphTask {
  GraphCall(std::shared_ptr<const GraphEncoder> of, std::vector<GraphRow> given, const GraphWanted& what,
            bool stays = true);

  // Rethrows what the call failed with.
  void await();
  // Fails the running test where an output is not what the fake graph's formula gives.
  void check_results() const;

  std::vector<GraphRow> rows;
  GraphWanted wanted;
  std::vector<float> states, pooler, pooled, labels, span, classes;
  std::vector<std::vector<float>> hidden, attention;
  std::promise<std::exception_ptr> promise;
  std::future<std::exception_ptr> outcome = promise.get_future();
};

std::shared_ptr<GraphCall> submit(const std::shared_ptr<const GraphEncoder>& encoder, std::vector<GraphRow> rows,
                                  const GraphWanted& wanted, bool stays = true);

// Rows without padding, of these lengths.
std::vector<GraphRow> plain_rows(const std::vector<size_t>& lengths, uint32_t seed);

}  // namespace bert_native::test
