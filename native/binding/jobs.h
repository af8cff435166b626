#pragma once

#include <napi.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "cpu/background.h"

namespace bert_native {

// One asynchronous call from JavaScript, made, settled and destroyed on the thread of its environment. Its promise
// resolves with result().
class Job {
 public:
  explicit Job(Napi::Env env) : deferred_(Napi::Promise::Deferred::New(env)) {}
  virtual ~Job() = default;

  // Only for jobs that are aborted, or whose environment ends. From its return on the work touches nothing of the job's
  // any more; or true is returned: then the job stays, with the memory that it holds, until the work tells that it is
  // done. Called with locks held: does not tell so itself.
  virtual bool cancel() { return false; }
  virtual Napi::Value result(Napi::Env env) = 0;

  const Napi::Promise::Deferred& deferred() const { return deferred_; }

 private:
  friend class JobQueue;
  Napi::Promise::Deferred deferred_;
  bool settled_ = false;
  std::exception_ptr failure_;
  uint64_t call_id_ = 0;
};

// A job that is one function: run() on a thread of the library, on plain C++ data only. What it throws rejects the
// promise.
class ThreadJob : public Job {
 public:
  using Job::Job;
  virtual void run(ThreadPool& pool) = 0;
};

// Hands a function to one of the library's threads, to be called there once.
using Dispatch = void (*)(BackgroundJob);
// Tells, from any thread and once, that a job is done.
using Finish = std::function<void(std::exception_ptr failure)>;

// The jobs of one JavaScript environment (the main thread or a worker), which owns it.
//
// A pending job keeps the environment's event loop alive, an idle queue does not. When the environment is torn down
// (process exit, a worker terminated in mid-run), all jobs are cancelled, and run() of those that are in it is awaited,
// as is the end of work that goes on after it was cancelled, before the memory that they write to goes away.
class JobQueue {
 public:
  explicit JobQueue(Napi::Env env);
  ~JobQueue();
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;

  // Returns the job's promise. Throws what `dispatch` throws; the job is gone then.
  Napi::Promise submit(std::unique_ptr<ThreadJob> job, Dispatch dispatch);
  // For work that is not one function: `start` has it begin, and it calls what `start` was given when it is done.
  // call_id: what abort() knows it by, from new_call_id(); 0: it is never aborted.
  Napi::Promise submit(std::unique_ptr<Job> job, uint64_t call_id, const std::function<void(Finish)>& start);

  uint64_t new_call_id() { return ++last_call_id_; }
  // Rejects the promise with kAborted now, unless it is settled.
  void abort(uint64_t call_id);

 private:
  struct Shared;  // outlives the queue as long as a dispatched function may still look at it

  static void on_wake(napi_env env, napi_value callback, void* context, void* data);
  static void on_teardown(void* self);
  void settle_finished(Napi::Env env);
  void settle(Napi::Env env, Job& job);
  void tear_down();

  Napi::Env env_;
  napi_threadsafe_function wake_ = nullptr;
  std::shared_ptr<Shared> shared_;

  // On the JavaScript thread only.
  size_t unsettled_ = 0;
  uint64_t last_serial_ = 0, last_call_id_ = 0;
  std::unordered_map<uint64_t, uint64_t> abortable_;  // serial numbers of jobs by call_id
};

}  // namespace bert_native
