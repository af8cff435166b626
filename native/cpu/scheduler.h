#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "common/thread_pool.h"

namespace bert_native {

// The process's one queue of forward passes: they run in order of arrival, each on the whole thread pool. Started by
// the first job; an idle scheduler sleeps.
class Scheduler {
 public:
  using Job = std::function<void(ThreadPool& pool)>;  // must not throw

  // Lives until the process ends: its threads may not be joined while static objects are being destroyed.
  static Scheduler& process();

  void submit(Job job);

  // Threads that the pool has or will have: what set_thread_count() said, else BERT_NATIVE_THREADS, else
  // usable_thread_count(). Throws kOption where the variable is not a whole number from 1 to kMaxThreads.
  size_t thread_count();
  // Takes effect before the next job. Throws kOption outside 1 to kMaxThreads.
  void set_thread_count(size_t threads);

  static constexpr size_t kMaxThreads = 1024;

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool started_ = false;
  std::optional<size_t> threads_wanted_;
};

// A thread of its own for work that should not wait behind forward passes, such as loading weights: runs `job` once
// with a pool of one, then ends. Throws kMemory where the system gives no thread.
void run_in_background(Scheduler::Job job);

}  // namespace bert_native
