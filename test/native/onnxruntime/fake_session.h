#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "encoder/batch.h"
#include "onnxruntime/graph_encoder.h"
#include "onnxruntime/session.h"

namespace bert_native::test {

inline constexpr size_t kFakeHidden = 4, kFakeLayers = 2, kFakeHeads = 2, kFakeLabels = 3;

// What a position comes to in the fake graph: whole numbers that f16 holds. `keys`: unmasked positions of its row, or
// all of its columns where there are none.
inline float fake_state(int32_t id, int32_t type, int32_t position, size_t keys, size_t h) {
  return static_cast<float>(id * static_cast<int32_t>(h + 1) + 2 * type + position + static_cast<int32_t>(keys));
}
inline float fake_probability(size_t head, size_t query, size_t key) {
  return static_cast<float>((head + 1) * (query + 1) + key);
}

// A graph that is computed here: of every kind of output one.
class FakeSession : public GraphSession {
 public:
  struct Types {
    GraphType ids = GraphType::kInt64, mask = GraphType::kInt64, outputs = GraphType::kF32;
    bool choices = false;
  };
  struct Run {
    size_t rows, columns;
    std::vector<std::string> outputs;
    std::vector<const void*> memory;  // of the outputs
  };

  explicit FakeSession(const Types& types);
  FakeSession() : FakeSession(Types()) {}

  const std::vector<GraphValue>& inputs() const override { return inputs_; }
  const std::vector<GraphValue>& outputs() const override { return outputs_; }
  const std::vector<std::string>& providers() const override { return providers_; }
  void run(const std::vector<GraphTensor>& inputs, const std::vector<GraphTensor>& outputs,
           RunTermination& termination) const override;

  // Runs wait in their middle until they may go on, or are terminated.
  void block();
  void release();
  // Returns when so many runs wait in their middle.
  void await_blocked(size_t runs) const;
  // A terminated run goes on until it is released, as if in a long operator.
  bool ends_late = false;
  // Called by each run, on its thread, before it computes.
  std::function<void(size_t rows)> on_run;

  std::vector<Run> runs() const;
  size_t most_at_once() const;
  void drop_input(const std::string& name);

 private:
  struct Row;

  std::vector<Row> read(const std::vector<GraphTensor>& inputs) const;
  void write(const GraphTensor& output, const std::vector<Row>& rows) const;
  std::vector<float> compute(const std::string& name, const std::vector<Row>& rows) const;
  void wait_in_the_middle(RunTermination& termination) const;

  Types types_;
  std::vector<GraphValue> inputs_, outputs_;
  std::vector<std::string> providers_{"cpu"};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool blocked_ = false;
  mutable size_t waiting_ = 0, running_ = 0, most_ = 0;
  mutable std::vector<Run> runs_;
};

// The fake graph as an encoder: heads `labels` over tokens, `span` of two columns over tokens, `classes` over rows.
std::shared_ptr<GraphEncoder> make_fake_encoder(std::shared_ptr<const GraphSession> session);

}  // namespace bert_native::test
