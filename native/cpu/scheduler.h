#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>

#include "common/thread_pool.h"
#include "cpu/block_pass.h"
#include "cpu/forward_task.h"
#include "cpu/task_queue.h"

namespace bert_native {

// Runs the forward passes of all models of the process on one thread pool, of as many threads as ComputeLimits says (a
// change takes effect before the next block). Whenever the pool is free it takes what
// waits, of as many calls of one model as fit a block, and runs it at once: nothing is held back for company. Small
// calls that come while a larger block runs are slipped in between two of its steps. A sequence's result does not
// depend on any of this.
class Scheduler {
 public:
  static Scheduler& instance();

  // Checks the task's sequences and queues them. Throws what check_batch() throws; kQueueFull where they would make
  // more tokens wait than ComputeLimits allows; kMemory where the system gives no thread.
  void submit(std::shared_ptr<ForwardTask> task);
  // From its return on the task's outputs are not written. What of it waits is dropped; a block that computes for
  // nobody else stops soon. `done` is not called, unless the task was computed already.
  void cancel(ForwardTask& task);

  ForwardCounts read(const ForwardCounters& counters);

  // Whether a block runs at this moment.
  bool is_computing() const { return is_computing_; }
  size_t workspace_size_bytes() const { return workspace_size_bytes_; }

 private:
  class BlockControl;

  Scheduler() = default;
  void serve();
  void await_task(std::unique_lock<std::mutex>& lock);
  void run_interruptions();
  void run(Block block, Workspace& workspace, bool interruptible) noexcept;
  void compute(const Block& block, Workspace& workspace, PassControl& control) noexcept;
  Block take_block(const std::function<Block()>& take) noexcept;
  static void begin(const Block& block) noexcept;
  void settle(const Block& block) noexcept;
  void drop_waiting(ForwardTask& task);
  ThreadPool& pool() { return pool_ != nullptr ? *pool_ : own_thread_; }

  ThreadPool own_thread_{1};  // the serving thread alone: for where the system gives no other

  std::mutex mutex_;
  std::condition_variable wake_;
  TaskQueue queue_;
  bool started_ = false;

  // Of the serving thread.
  std::unique_ptr<ThreadPool> pool_;
  size_t pool_threads_ = 0;
  Workspace workspace_, interruption_workspace_;
  std::atomic<size_t> workspace_size_bytes_{0};
  std::atomic<bool> is_computing_{false};
};

}  // namespace bert_native
