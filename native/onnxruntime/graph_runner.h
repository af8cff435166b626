#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>

#include "onnxruntime/graph_queue.h"
#include "onnxruntime/graph_scratch.h"
#include "onnxruntime/graph_task.h"

namespace bert_native {

// Runs the calls of all graphs of the process on threads of its own: as many batches at once, of one call or several,
// as fill the threads of ComputeLimits with those that each run computes on. Where larger calls hold them all, one
// small call more runs beside, so that it waits for no batch to end. Threads start when they are needed and sleep when
// they are not.
class GraphRunner {
 public:
  static GraphRunner& instance();

  // Checks the task's sequences, plans its batches and queues them. Throws what plan_call() throws; kQueueFull where
  // they would make more tokens wait than ComputeLimits allows; kMemory where the system gives no thread.
  void submit(std::shared_ptr<GraphTask> task);
  // Closes the task's gate, drops what waits of it and tells its runs to end. Returns whether some of them still have
  // to: `done` is called when they have, and until then memory stays in use that `outputs_stay` promises. Else it is
  // not called any more, unless that has begun.
  bool cancel(GraphTask& task);

  ForwardCounts read(const ForwardCounters& counters);
  // Scratch memory of all threads; what ONNX Runtime holds is not known.
  size_t workspace_size_bytes() const { return workspace_size_bytes_; }

 private:
  struct Work;

  GraphRunner() = default;
  void serve();
  void await_work(std::unique_lock<std::mutex>& lock, GraphScratch& scratch);
  bool can_start() const;
  Work take();
  void wake_another();
  std::exception_ptr run(const Work& work, GraphScratch& scratch) noexcept;
  void settle(Work& work, const std::exception_ptr& failure) noexcept;
  void drop_waiting(GraphTask& task);
  void keep_scratch(GraphScratch& scratch, size_t most_bytes);

  std::mutex mutex_;
  std::condition_variable wake_;
  GraphQueue queue_;
  size_t thread_count_ = 0, idle_threads_ = 0;
  size_t busy_ = 0;           // threads of ComputeLimits that runs compute on
  bool runs_beside_ = false;  // a small call, beside these
  std::atomic<size_t> workspace_size_bytes_{0};
};

}  // namespace bert_native
