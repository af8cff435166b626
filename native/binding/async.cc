#include "binding/async.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "binding/errors.h"

namespace bert_native {

namespace {

struct AsyncCall {
  enum class State { kQueued, kRunning, kDone };

  AsyncCall(Napi::Env env, std::function<void()> work_, std::function<Napi::Value(Napi::Env)> settle_)
      : deferred(Napi::Promise::Deferred::New(env)), work(std::move(work_)), settle(std::move(settle_)) {}

  Napi::Promise::Deferred deferred;
  std::function<void()> work;
  std::function<Napi::Value(Napi::Env)> settle;
  napi_threadsafe_function wake = nullptr;
  std::optional<Error> error;
  State state = State::kQueued;  // guarded by the queue's mutex
};

void run_work(AsyncCall& call) {
  try {
    call.work();
  } catch (const Error& error) {
    call.error = error;
  } catch (const std::bad_alloc&) {
    call.error = Error(ErrorCode::kMemory, "out of memory");
  }
}

// One thread, started by the first call and never ended: it owns nothing that outlives a call.
class BackgroundQueue {
 public:
  static BackgroundQueue& instance() {
    static auto* queue = new BackgroundQueue();  // leaked: the thread may still sleep in it while the process exits
    return *queue;
  }

  void push(AsyncCall* call) {
    std::lock_guard lock(mutex_);
    if (!started_) {
      std::thread([this] { run(); }).detach();
      started_ = true;
    }
    queued_.push_back(call);
    changed_.notify_all();
  }

  // Returns once the thread is done with `call`. True: it was still queued, never ran, and is the caller's again.
  bool withdraw_or_wait(AsyncCall* call) {
    std::unique_lock lock(mutex_);
    if (call->state == AsyncCall::State::kQueued) {
      queued_.erase(std::find(queued_.begin(), queued_.end(), call));
      return true;
    }
    changed_.wait(lock, [&] { return call->state == AsyncCall::State::kDone; });
    return false;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return !queued_.empty(); });
      AsyncCall* call = queued_.front();
      queued_.pop_front();
      call->state = AsyncCall::State::kRunning;
      lock.unlock();
      run_work(*call);
      lock.lock();
      // Under the lock: the JavaScript thread deletes the call, and must not do so before its state is set.
      const napi_threadsafe_function wake = call->wake;
      call->state = AsyncCall::State::kDone;
      napi_call_threadsafe_function(wake, call, napi_tsfn_nonblocking);
      napi_release_threadsafe_function(wake, napi_tsfn_release);
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<AsyncCall*> queued_;
  bool started_ = false;
};

// Runs when the environment goes away with the call pending, and, as hooks run last in first out, before the
// thread-safe function is taken down. That then hands the call to settle_call() without an environment.
void abandon_call(void* data) {
  auto* call = static_cast<AsyncCall*>(data);
  if (BackgroundQueue::instance().withdraw_or_wait(call)) {
    napi_release_threadsafe_function(call->wake, napi_tsfn_release);
    delete call;
  }
}

void settle_call(napi_env raw_env, napi_value, void*, void* data) {
  // Waits until the background thread has let go of the call.
  BackgroundQueue::instance().withdraw_or_wait(static_cast<AsyncCall*>(data));
  const std::unique_ptr<AsyncCall> call(static_cast<AsyncCall*>(data));
  if (raw_env == nullptr) return;
  const Napi::Env env(raw_env);
  const Napi::HandleScope scope(env);
  napi_remove_env_cleanup_hook(env, abandon_call, call.get());
  try {
    if (call->error) throw Error(*call->error);
    call->deferred.Resolve(guarded(env, [&] { return call->settle(env); }));
  } catch (const Error& error) {
    call->deferred.Reject(make_error(env, error_code_name(error.code()), error.what()).Value());
  } catch (const Napi::Error& error) {
    call->deferred.Reject(error.Value());
  }
}

}  // namespace

Napi::Promise run_async(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> settle) {
  auto call = std::make_unique<AsyncCall>(env, std::move(work), std::move(settle));
  const Napi::Promise promise = call->deferred.Promise();
  const napi_status created =
      napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "bert-native"), 0, 1, nullptr,
                                      nullptr, nullptr, settle_call, &call->wake);
  NAPI_THROW_IF_FAILED(env, created, promise);
  napi_add_env_cleanup_hook(env, abandon_call, call.get());
  try {
    BackgroundQueue::instance().push(call.get());
  } catch (const std::system_error&) {
    napi_remove_env_cleanup_hook(env, abandon_call, call.get());
    napi_release_threadsafe_function(call->wake, napi_tsfn_release);
    throw Error(ErrorCode::kMemory, "could not start the background thread");
  }
  call.release();
  return promise;
}

}  // namespace bert_native
