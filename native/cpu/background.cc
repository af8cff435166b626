#include "cpu/background.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "common/threads.h"

namespace bert_native {

namespace {

// A job that breaks its promise not to throw loses its result; the process and the jobs behind it go on.
void run_job(const BackgroundJob& job, ThreadPool& pool) noexcept {
  try {
    job(pool);
  } catch (...) {
  }
}

class JobThread {
 public:
  void submit(size_t threads, BackgroundJob job) {
    const std::lock_guard lock(mutex_);
    if (!started_) {
      start_thread([this] { serve(); }).detach();
      started_ = true;
    }
    queue_.emplace_back(threads, std::move(job));
    wake_.notify_one();
  }

 private:
  void serve() {
    for (;;) {
      std::pair<size_t, BackgroundJob> next;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return !queue_.empty(); });
        next = std::move(queue_.front());
        queue_.pop_front();
      }
      run_job(next.second, pool_of(next.first));
    }
  }

  ThreadPool& pool_of(size_t threads) {
    if (threads <= 1) return alone_;
    if (threads_ != threads) {
      pool_ = nullptr;
      pool_ = make_thread_pool(threads);
      threads_ = threads;
    }
    return pool_ != nullptr ? *pool_ : alone_;
  }

  ThreadPool alone_{1};
  // Of the thread.
  std::unique_ptr<ThreadPool> pool_;
  size_t threads_ = 1;  // that were asked for; the system may have given fewer

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<size_t, BackgroundJob>> queue_;  // with the threads that they may have
  bool started_ = false;
};

// Threads beside their own that all such jobs have, and the share of one of them.
class Helpers {
 public:
  explicit Helpers(size_t wanted) {
    size_t busy = in_use_;
    do {
      count_ = wanted - std::min(wanted, busy);
    } while (!in_use_.compare_exchange_weak(busy, busy + count_));
  }
  ~Helpers() { in_use_ -= count_; }
  Helpers(const Helpers&) = delete;
  size_t count() const { return count_; }
  // Gives those back that could not be started.
  void keep(size_t count) {
    in_use_ -= count_ - count;
    count_ = count;
  }

 private:
  static inline std::atomic<size_t> in_use_{0};
  size_t count_ = 0;
};

}  // namespace

void run_in_background(BackgroundJob job) {
  // Lives until the process ends: its thread may not be joined while static objects are being destroyed.
  static JobThread* const thread = new JobThread();
  thread->submit(1, std::move(job));
}

void run_in_turn(size_t threads, BackgroundJob job) {
  static JobThread* const thread = new JobThread();  // as above
  thread->submit(threads, std::move(job));
}

void with_shared_threads(size_t threads, const std::function<void(ThreadPool* pool)>& work) {
  struct Shared {
    std::mutex mutex;
    std::unique_ptr<ThreadPool> pool;
    size_t threads = 1;  // that were asked for; the system may have given fewer
  };
  static Shared* const shared = new Shared();  // as above
  const std::unique_lock lock(shared->mutex, std::try_to_lock);
  if (!lock.owns_lock()) {
    work(nullptr);
    return;
  }
  if (shared->threads != threads) {
    shared->pool.reset();
    shared->pool = make_thread_pool(threads);
    shared->threads = threads;
  }
  work(shared->pool.get());
}

void run_on_own_threads(size_t threads, BackgroundJob job) {
  // What the job needs in any case is made here, where its lack is still an error of the call.
  const auto alone = std::make_shared<ThreadPool>(1);
  start_thread([threads, job = std::move(job), alone] {
    Helpers helpers(threads - std::min<size_t>(threads, 1));
    const std::unique_ptr<ThreadPool> pool = make_thread_pool(1 + helpers.count());
    helpers.keep(pool != nullptr ? pool->thread_count() - 1 : 0);
    run_job(job, pool != nullptr ? *pool : *alone);
  }).detach();
}

}  // namespace bert_native
