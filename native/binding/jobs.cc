#include "binding/jobs.h"

#include <exception>
#include <utility>

#include "binding/errors.h"

namespace bert_native {

struct JobQueue::Shared {
  std::mutex mutex;
  std::condition_variable idle;
  bool closed = false;  // no job may start any more
  size_t running = 0;
  // Jobs hold references into JavaScript, so they live here and are destroyed on the environment's thread only.
  std::unordered_map<Job*, std::unique_ptr<Job>> waiting_or_running;
  std::vector<std::unique_ptr<Job>> finished;
};

namespace {

void check(napi_env env, napi_status status) {
  if (status != napi_ok) throw Napi::Error::New(env);
}

}  // namespace

JobQueue::JobQueue(Napi::Env env) : env_(env), shared_(std::make_shared<Shared>()) {
  check(env, napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "bert-native"), 0, 1,
                                             nullptr, nullptr, this, on_wake, &wake_));
  check(env, napi_unref_threadsafe_function(env, wake_));
  // Hooks run in reverse order: this one before the thread-safe function's own.
  check(env, napi_add_env_cleanup_hook(env, on_teardown, this));
}

JobQueue::~JobQueue() = default;

Napi::Promise JobQueue::submit(std::unique_ptr<Job> job, const Dispatch& dispatch) {
  const Napi::Promise promise = job->deferred().Promise();
  Job* const key = job.get();
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->waiting_or_running.emplace(key, std::move(job));
    shared_->finished.reserve(shared_->finished.size() + shared_->waiting_or_running.size());
  }
  if (unsettled_++ == 0) check(env_, napi_ref_threadsafe_function(env_, wake_));

  try {
    dispatch_job(dispatch, key);
  } catch (...) {
    const std::lock_guard lock(shared_->mutex);
    shared_->waiting_or_running.erase(key);
    if (--unsettled_ == 0) napi_unref_threadsafe_function(env_, wake_);
    throw;
  }
  return promise;
}

void JobQueue::dispatch_job(const Dispatch& dispatch, Job* key) {
  dispatch([shared = shared_, key, wake = wake_](ThreadPool& pool) {
    {
      const std::lock_guard lock(shared->mutex);
      if (shared->closed) return;  // the environment is gone, and the job with it
      shared->running++;
    }
    try {
      key->run(pool);
    } catch (...) {
      key->failure_ = std::current_exception();
    }
    const std::lock_guard lock(shared->mutex);
    const auto entry = shared->waiting_or_running.find(key);
    shared->finished.push_back(std::move(entry->second));  // submit() reserved its place: this cannot fail
    shared->waiting_or_running.erase(entry);
    // One wake-up settles everything that is finished by then. Under the lock: tear_down() cannot pass in between.
    if (!shared->closed && shared->finished.size() == 1) {
      napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking);
    }
    if (--shared->running == 0) shared->idle.notify_all();
  });
}

void JobQueue::on_wake(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;  // torn down with wake-ups still queued
  static_cast<JobQueue*>(context)->settle_finished(Napi::Env(env));
}

void JobQueue::settle_finished(Napi::Env env) {
  std::vector<std::unique_ptr<Job>> finished;
  {
    const std::lock_guard lock(shared_->mutex);
    finished.swap(shared_->finished);
    shared_->finished.reserve(shared_->waiting_or_running.size());
  }
  for (const std::unique_ptr<Job>& job : finished) {
    const Napi::HandleScope scope(env);
    settle(env, *job);
  }
  unsettled_ -= finished.size();
  if (unsettled_ == 0) napi_unref_threadsafe_function(env, wake_);
}

void JobQueue::settle(Napi::Env env, Job& job) {
  try {
    try {
      guarded(env, [&] {
        if (job.failure_ != nullptr) std::rethrow_exception(job.failure_);
        job.deferred().Resolve(job.result(env));
        return env.Undefined();
      });
    } catch (const Napi::Error& error) {
      job.deferred().Reject(error.Value());
    }
  } catch (const Napi::Error&) {
    // A worker being terminated still gets this call while its handles are closed, and JavaScript can no longer run:
    // nobody is left who could see the promise.
  }
}

void JobQueue::on_teardown(void* self) { static_cast<JobQueue*>(self)->tear_down(); }

void JobQueue::tear_down() {
  std::unique_lock lock(shared_->mutex);
  shared_->closed = true;
  for (const auto& [key, job] : shared_->waiting_or_running) job->cancelled_ = true;
  shared_->idle.wait(lock, [&] { return shared_->running == 0; });
  shared_->waiting_or_running.clear();
  shared_->finished.clear();
}

}  // namespace bert_native
