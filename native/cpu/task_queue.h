#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "cpu/forward_task.h"

namespace bert_native {

// Sequences of one encoder, of one call or of several, that run through it together.
struct Block {
  struct Share {
    std::shared_ptr<ForwardTask> task;
    size_t begin = 0, end = 0;  // sequences of the task
  };
  std::vector<Share> shares;
  size_t rows = 0;
  bool small = false;
};

// The calls that wait, and what is computed next. Small calls, which are somebody's query, share the machine evenly
// with all larger ones together: they come first until they have had as many rows. Among themselves they run in order
// of arrival; of the larger calls the one that has had least runs next, by the virtual time of fair queueing (Parekh
// and Gallager 1993). Calls of one encoder fill a block together; small and larger ones never do, so that no query
// waits for the rest of a large block. Not safe to use from several threads at once.
class TaskQueue {
 public:
  // Rows of a small call, at most.
  static constexpr size_t kSmallRows = 128;

  // The task has `rows` set. Throws std::bad_alloc, and has not added it then.
  void add(std::shared_ptr<ForwardTask> task);
  // Takes a task out that may still have sequences waiting. Returns whether it had.
  bool remove(ForwardTask& task);
  bool is_empty() const { return small_.encoders.empty() && large_.encoders.empty(); }
  size_t waiting_rows() const { return waiting_rows_; }

  // About `row_budget` rows, a longer sequence alone; without shares where nothing waits. Throws std::bad_alloc, and
  // has taken nothing then.
  Block take(size_t row_budget);
  // Small calls that may run in the middle of the larger block that take() gave last; else without shares.
  Block take_interruption(size_t row_budget);

 private:
  struct Before {
    bool operator()(const std::shared_ptr<ForwardTask>& a, const std::shared_ptr<ForwardTask>& b) const;
  };
  using Tasks = std::set<std::shared_ptr<ForwardTask>, Before>;
  struct Class {
    std::map<const CpuEncoder*, Tasks> encoders;  // none of them empty
    size_t task_count = 0;
    double served = 0;        // rows, as if it had always kept up with the other class
    double virtual_time = 0;  // rows that each task would have had if all ran at once
  };

  Class& class_of(const ForwardTask& task) { return task.small ? small_ : large_; }
  Block take_from(Class& from, size_t row_budget);

  Class small_, large_;
  double large_served_before_block_ = 0;
  size_t waiting_rows_ = 0;
  uint64_t arrivals_ = 0;
};

}  // namespace bert_native
