#pragma once

#include <napi.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cpu/scheduler.h"

namespace bert_native {

// One asynchronous call from JavaScript: run() on a thread of the library, then result() on the thread of the
// environment that made the call, whose promise resolves with it; what run() throws rejects the promise instead. The
// constructor and result() may use JavaScript, run() touches plain C++ data only.
class Job {
 public:
  explicit Job(Napi::Env env) : deferred_(Napi::Promise::Deferred::New(env)) {}
  virtual ~Job() = default;

  virtual void run(ThreadPool& pool) = 0;
  virtual Napi::Value result(Napi::Env env) = 0;

  const Napi::Promise::Deferred& deferred() const { return deferred_; }
  const std::atomic<bool>& cancelled() const { return cancelled_; }

 private:
  friend class JobQueue;
  Napi::Promise::Deferred deferred_;
  std::atomic<bool> cancelled_{false};
  std::exception_ptr failure_;
};

// Hands a function to one of the library's threads, to be called there once: run_on_pool and its likes.
using Dispatch = std::function<void(Scheduler::Job)>;

// The jobs of one JavaScript environment (the main thread or a worker), which owns it.
//
// A pending job keeps the environment's event loop alive, an idle queue does not. When the environment is torn down
// (process exit, a worker terminated in mid-run), waiting jobs are dropped and running ones cancelled and awaited
// before the memory that they write to goes away.
class JobQueue {
 public:
  explicit JobQueue(Napi::Env env);
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // Returns the job's promise. Throws what `dispatch` throws; the job is gone then.
  Napi::Promise submit(std::unique_ptr<Job> job, const Dispatch& dispatch);

 private:
  struct Shared;  // outlives the queue as long as a dispatched function may still look at it

  void dispatch_job(const Dispatch& dispatch, Job* key);
  static void on_wake(napi_env env, napi_value callback, void* context, void* data);
  static void on_teardown(void* self);
  void settle_finished(Napi::Env env);
  static void settle(Napi::Env env, Job& job);
  void tear_down();

  Napi::Env env_;
  napi_threadsafe_function wake_ = nullptr;
  std::shared_ptr<Shared> shared_;
  size_t unsettled_ = 0;  // on the JavaScript thread only
};

}  // namespace bert_native
