#include "cpu/background.h"

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
  void submit(BackgroundJob job) {
    const std::lock_guard lock(mutex_);
    if (!started_) {
      start_thread([this] { serve(); }).detach();
      started_ = true;
    }
    queue_.push_back(std::move(job));
    wake_.notify_one();
  }

 private:
  void serve() {
    for (;;) {
      BackgroundJob job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return !queue_.empty(); });
        job = std::move(queue_.front());
        queue_.pop_front();
      }
      run_job(job, pool_);
    }
  }

  ThreadPool pool_{1};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<BackgroundJob> queue_;
  bool started_ = false;
};

}  // namespace

void run_in_background(BackgroundJob job) {
  // Lives until the process ends: its thread may not be joined while static objects are being destroyed.
  static JobThread* const thread = new JobThread();
  thread->submit(std::move(job));
}

void run_on_own_thread(BackgroundJob job) {
  start_thread([job = std::move(job), pool = std::make_shared<ThreadPool>(1)] { run_job(job, *pool); }).detach();
}

}  // namespace bert_native
