#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "common/thread_pool.h"

namespace bert_native {

// A queue of jobs that run one after another, in order of arrival, each on a whole thread pool. Its thread starts with
// the first job and sleeps while there is none.
class Scheduler {
 public:
  // Reports its failures itself: what it throws is lost.
  using Job = std::function<void(ThreadPool& pool)>;

  // The process's queue of forward passes.
  static Scheduler& forward_passes();
  // A queue with a pool of one, for what should not wait behind forward passes: tokenizing, reading parameters back.
  static Scheduler& background();

  // Throws kMemory where the system gives no thread for the queue, and what thread_count() throws.
  void submit(Job job);

  // Threads that the pool has or will have: what set_thread_count() said, else BERT_NATIVE_THREADS, else
  // usable_thread_count(). Throws kOption where the variable is not a whole number from 1 to kMaxThreads.
  size_t thread_count();
  // Takes effect before the next job. Throws kOption outside 1 to kMaxThreads.
  void set_thread_count(size_t threads);

  static constexpr size_t kMaxThreads = 1024;

 private:
  Scheduler() = default;
  void serve();

  ThreadPool own_thread_{1};  // the serving thread alone: for where the system gives no other
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool started_ = false;
  std::optional<size_t> threads_wanted_;
};

void run_on_pool(Scheduler::Job job);        // submits to forward_passes()
void run_in_background(Scheduler::Job job);  // submits to background()

// Starts a thread for this one job, with a pool of one: for loading, which takes long and waits for the disk.
// Throws kMemory where the system gives no thread.
void run_on_own_thread(Scheduler::Job job);

}  // namespace bert_native
