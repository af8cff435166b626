#include "binding/jobs.h"

#include <exception>
#include <map>
#include <utility>

#include "binding/errors.h"
#include "common/errors.h"

namespace bert_native {

struct JobQueue::Shared {
  std::mutex mutex;
  std::condition_variable idle;
  bool closed = false;  // no job may start any more
  size_t running = 0;
  // Jobs hold references into JavaScript, so they live here and are destroyed on the environment's thread only.
  // By serial number. A job moves from one to the other as a node: that cannot fail.
  // What was aborted, but is still being computed, lingers until that ends.
  std::map<uint64_t, std::unique_ptr<Job>> waiting_or_running, lingering, finished;
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

Napi::Promise JobQueue::submit(std::unique_ptr<ThreadJob> job, Dispatch dispatch) {
  ThreadJob* const running = job.get();
  return submit(std::move(job), 0, [&](Finish finish) {
    dispatch([shared = shared_, running, finish = std::move(finish)](ThreadPool& pool) {
      {
        const std::lock_guard lock(shared->mutex);
        if (shared->closed) return;  // the environment is gone, and the job with it
        shared->running++;
      }
      std::exception_ptr failure;
      try {
        running->run(pool);
      } catch (...) {
        failure = std::current_exception();
      }
      finish(failure);
      const std::lock_guard lock(shared->mutex);
      if (--shared->running == 0) shared->idle.notify_all();
    });
  });
}

Napi::Promise JobQueue::submit(std::unique_ptr<Job> job, uint64_t call_id, const std::function<void(Finish)>& start) {
  const Napi::Promise promise = job->deferred().Promise();
  const uint64_t serial = ++last_serial_;
  job->call_id_ = call_id;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->waiting_or_running.emplace(serial, std::move(job));
  }
  if (unsettled_++ == 0) check(env_, napi_ref_threadsafe_function(env_, wake_));

  try {
    if (call_id != 0) abortable_.emplace(call_id, serial);
    start([shared = shared_, serial, wake = wake_](std::exception_ptr failure) {
      const std::lock_guard lock(shared->mutex);
      auto node = shared->waiting_or_running.extract(serial);
      if (!node.empty()) {
        node.mapped()->failure_ = failure;
      } else {
        node = shared->lingering.extract(serial);
        if (node.empty()) return;  // aborted, or its environment is gone
        if (shared->lingering.empty()) shared->idle.notify_all();
      }
      shared->finished.insert(std::move(node));
      // One wake-up settles everything that is finished by then. Under the lock: tear_down() cannot pass in between.
      if (!shared->closed && shared->finished.size() == 1) {
        napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking);
      }
    });
  } catch (...) {
    abortable_.erase(call_id);
    const std::lock_guard lock(shared_->mutex);
    shared_->waiting_or_running.erase(serial);
    if (--unsettled_ == 0) napi_unref_threadsafe_function(env_, wake_);
    throw;
  }
  return promise;
}

void JobQueue::abort(uint64_t call_id) {
  const auto known = abortable_.find(call_id);
  if (known == abortable_.end()) return;
  const uint64_t serial = known->second;
  Job* job = nullptr;
  {
    const std::lock_guard lock(shared_->mutex);
    // What is done and about to be settled, too: whether an abort comes in time is what JavaScript sees.
    auto node = shared_->waiting_or_running.extract(serial);
    if (node.empty()) node = shared_->finished.extract(serial);
    job = node.mapped().get();
    shared_->lingering.insert(std::move(node));
  }
  // Jobs are destroyed on this thread alone: it stays, whatever the work tells in between.
  const bool lingers = job->cancel();
  job->failure_ = std::make_exception_ptr(Error(ErrorCode::kAborted, "the call was aborted"));
  settle(env_, *job);
  if (--unsettled_ == 0) napi_unref_threadsafe_function(env_, wake_);
  if (lingers) return;
  std::map<uint64_t, std::unique_ptr<Job>>::node_type gone;  // destroyed without the lock
  const std::lock_guard lock(shared_->mutex);
  gone = shared_->lingering.extract(serial);
}

void JobQueue::on_wake(napi_env env, napi_value, void* context, void*) {
  if (env == nullptr) return;  // torn down with wake-ups still queued
  static_cast<JobQueue*>(context)->settle_finished(Napi::Env(env));
}

void JobQueue::settle_finished(Napi::Env env) {
  std::map<uint64_t, std::unique_ptr<Job>> finished;
  {
    const std::lock_guard lock(shared_->mutex);
    finished.swap(shared_->finished);
  }
  size_t settled = 0;
  for (const auto& [serial, job] : finished) {
    if (job->settled_) continue;
    const Napi::HandleScope scope(env);
    settle(env, *job);
    ++settled;
  }
  unsettled_ -= settled;
  if (settled > 0 && unsettled_ == 0) napi_unref_threadsafe_function(env, wake_);
}

void JobQueue::settle(Napi::Env env, Job& job) {
  job.settled_ = true;
  if (job.call_id_ != 0) abortable_.erase(job.call_id_);
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
  for (auto next = shared_->waiting_or_running.begin(); next != shared_->waiting_or_running.end();) {
    const auto entry = next++;
    if (entry->second->cancel()) shared_->lingering.insert(shared_->waiting_or_running.extract(entry));
  }
  shared_->idle.wait(lock, [&] { return shared_->running == 0 && shared_->lingering.empty(); });
  shared_->waiting_or_running.clear();
  shared_->finished.clear();
}

}  // namespace bert_native
