#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>

#include "onnxruntime/graph_task.h"

namespace bert_native {

// The calls whose batches wait, and which is next. Small calls, which are somebody's query, share the machine evenly
// with all larger ones together, and run in order of arrival; of the larger calls the one that has had least runs next,
// by the virtual time of fair queueing (Parekh and Gallager 1993). Not safe to use from several threads at once.
class GraphQueue {
 public:
  // Tokens of a small call, at most.
  static constexpr size_t kSmallTokens = 128;

  // The task has batches. Throws std::bad_alloc, and has not added it then.
  void add(std::shared_ptr<GraphTask> task);
  // Takes a task out that may still have batches waiting.
  void remove(GraphTask& task);
  bool is_empty() const { return small_.tasks.empty() && large_.tasks.empty(); }
  bool has_small() const { return !small_.tasks.empty(); }

  // The task whose turn it is; null where none waits.
  const GraphTask* next() const;
  const GraphTask* next_small() const;
  // That task, and its next batch, which is its own from now on.
  std::pair<std::shared_ptr<GraphTask>, const GraphBatch*> take();
  std::pair<std::shared_ptr<GraphTask>, const GraphBatch*> take_small();

 private:
  struct Before {
    bool operator()(const std::shared_ptr<GraphTask>& a, const std::shared_ptr<GraphTask>& b) const;
  };
  struct Class {
    std::set<std::shared_ptr<GraphTask>, Before> tasks;
    double served = 0;        // tokens, as if it had always kept up with the other class
    double virtual_time = 0;  // tokens that each task would have had if all ran at once
  };

  Class& class_of(const GraphTask& task) { return task.small ? small_ : large_; }
  const Class& next_class() const;
  std::pair<std::shared_ptr<GraphTask>, const GraphBatch*> take_from(Class& from);

  Class small_, large_;
  uint64_t arrivals_ = 0;
};

}  // namespace bert_native
