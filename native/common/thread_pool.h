#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace bert_native {

// Threads that share the work of one caller, who may own a pool of any size. Work is handed out by index, so that a
// result never depends on which thread did what. Workers spin briefly after a job, then sleep; an idle pool costs
// nothing.
class ThreadPool {
 public:
  // `threads` ≥ 1 counts the caller of parallel_for, which works too: threads - 1 are started. Throws kMemory where the
  // system does not give them all.
  explicit ThreadPool(size_t threads);
  ~ThreadPool();

  size_t thread_count() const;

  // Calls task(index, worker) once for every index in [0, count), in any order, worker in [0, thread_count()): a
  // worker's scratch memory is its own during the call. Returns when all are done. The first exception thrown is
  // rethrown here once the others have stopped; the remaining indices are skipped. One caller at a time; not reentrant.
  void parallel_for(size_t count, const std::function<void(size_t index, size_t worker)>& task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The pool asked for, or the largest that the system still gives: null where that is the caller's own thread.
std::unique_ptr<ThreadPool> make_thread_pool(size_t threads) noexcept;

// Threads this process may really use: the affinity mask, cut by the cgroup's CPU quota (v1 and v2), at least 1.
size_t usable_thread_count();

}  // namespace bert_native
