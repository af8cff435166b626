#include "cpu/scheduler.h"

#include <cstdlib>
#include <string>
#include <utility>

#include "common/errors.h"
#include "common/threads.h"

namespace bert_native {

namespace {

std::string range_text() { return "expected a whole number from 1 to " + std::to_string(Scheduler::kMaxThreads); }

size_t default_thread_count() {
  const char* text = std::getenv("BERT_NATIVE_THREADS");
  if (text == nullptr || *text == '\0') return usable_thread_count();
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (*end != '\0' || *text == '-' || value < 1 || value > Scheduler::kMaxThreads) {
    throw Error(ErrorCode::kOption, "BERT_NATIVE_THREADS is '" + std::string(text) + "': " + range_text());
  }
  return value;
}

// The pool asked for, or the largest that the system still gives: null where that is the caller's own thread.
std::unique_ptr<ThreadPool> make_pool(size_t threads) noexcept {
  for (; threads > 1; threads /= 2) {
    try {
      return std::make_unique<ThreadPool>(threads);
    } catch (...) {
    }
  }
  return nullptr;
}

// A job that breaks its promise not to throw loses its result; the process and the jobs behind it go on.
void run_job(const Scheduler::Job& job, ThreadPool& pool) noexcept {
  try {
    job(pool);
  } catch (...) {
  }
}

}  // namespace

// Both live until the process ends: their threads may not be joined while static objects are being destroyed.

Scheduler& Scheduler::forward_passes() {
  static Scheduler* const scheduler = new Scheduler();
  return *scheduler;
}

Scheduler& Scheduler::background() {
  static Scheduler* const scheduler = [] {
    auto* created = new Scheduler();
    created->set_thread_count(1);
    return created;
  }();
  return *scheduler;
}

void Scheduler::submit(Job job) {
  const std::lock_guard lock(mutex_);
  if (!threads_wanted_) threads_wanted_ = default_thread_count();
  if (!started_) {
    start_thread([this] { serve(); }).detach();
    started_ = true;
  }
  queue_.push_back(std::move(job));
  wake_.notify_one();
}

size_t Scheduler::thread_count() {
  const std::lock_guard lock(mutex_);
  if (!threads_wanted_) threads_wanted_ = default_thread_count();
  return *threads_wanted_;
}

void Scheduler::set_thread_count(size_t threads) {
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(ErrorCode::kOption, "the number of threads is " + std::to_string(threads) + ": " + range_text());
  }
  const std::lock_guard lock(mutex_);
  threads_wanted_ = threads;
}

void Scheduler::serve() {
  std::unique_ptr<ThreadPool> pool;
  size_t pool_threads = 0;
  for (;;) {
    Job job;
    size_t threads;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return !queue_.empty(); });
      job = std::move(queue_.front());
      queue_.pop_front();
      threads = *threads_wanted_;
    }
    if (pool_threads != threads) {
      pool = nullptr;
      pool = make_pool(threads);
      pool_threads = threads;
    }
    run_job(job, pool != nullptr ? *pool : own_thread_);
  }
}

void run_on_pool(Scheduler::Job job) { Scheduler::forward_passes().submit(std::move(job)); }

void run_in_background(Scheduler::Job job) { Scheduler::background().submit(std::move(job)); }

void run_on_own_thread(Scheduler::Job job) {
  start_thread([job = std::move(job), pool = std::make_shared<ThreadPool>(1)] { run_job(job, *pool); }).detach();
}

}  // namespace bert_native
