#include "common/threads.h"

#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "common/compiler.h"
#include "common/errors.h"

#if BN_X86_64
#include <xmmintrin.h>
#else
#include <cfenv>
#endif
#if !defined(_WIN32)
#include <signal.h>
#endif

namespace bert_native {

namespace {

#if !defined(_WIN32)
// Threads inherit the mask of their creator: those started in this scope have every signal blocked.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};
#endif

// Threads inherit this, too: an addon that flushes subnormal numbers to zero must not change results here.
void set_default_floating_point() {
#if BN_X86_64
  constexpr unsigned kMxcsrDefault = 0x1f80;  // all exceptions masked, rounding to nearest, neither FTZ nor DAZ
  _mm_setcsr(kMxcsrDefault);
#else
  std::fesetenv(FE_DFL_ENV);
#endif
}

}  // namespace

#if defined(_WIN32)

Thread::~Thread() = default;
Thread::Thread(Thread&& other) noexcept = default;
Thread& Thread::operator=(Thread&& other) noexcept = default;
void Thread::join() { thread_.join(); }
void Thread::detach() { thread_.detach(); }

Thread start_thread(std::function<void()> body) {
  Thread thread;
  try {
    thread.thread_ = std::thread([body = std::move(body)] {
      set_default_floating_point();
      body();
    });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kMemory, std::string("the system gave no further thread: ") + error.what());
  }
  return thread;
}

#else

Thread::~Thread() {
  if (is_joinable_) std::terminate();
}

Thread::Thread(Thread&& other) noexcept
    : thread_(other.thread_), is_joinable_(std::exchange(other.is_joinable_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  if (is_joinable_) std::terminate();
  thread_ = other.thread_;
  is_joinable_ = std::exchange(other.is_joinable_, false);
  return *this;
}

void Thread::join() {
  is_joinable_ = false;
  pthread_join(thread_, nullptr);
}

void Thread::detach() {
  is_joinable_ = false;
  pthread_detach(thread_);
}

namespace {

using Body = std::function<void()>;

void* run_body(void* body) noexcept {
  const std::unique_ptr<Body> owned(static_cast<Body*>(body));
  set_default_floating_point();
  (*owned)();
  return nullptr;
}

void check_started(int status) {
  if (status == 0) return;
  throw Error(ErrorCode::kMemory,
              "the system gave no further thread: " + std::error_code(status, std::generic_category()).message());
}

class ThreadAttributes {
 public:
  ThreadAttributes() {
    check_started(pthread_attr_init(&attributes_));
    size_t stack_bytes = 0;
    pthread_attr_getstacksize(&attributes_, &stack_bytes);
    if (stack_bytes < kThreadStackBytes) pthread_attr_setstacksize(&attributes_, kThreadStackBytes);
  }
  ~ThreadAttributes() { pthread_attr_destroy(&attributes_); }
  ThreadAttributes(const ThreadAttributes&) = delete;
  ThreadAttributes& operator=(const ThreadAttributes&) = delete;

  const pthread_attr_t* get() const { return &attributes_; }

 private:
  pthread_attr_t attributes_;
};

}  // namespace

Thread start_thread(std::function<void()> body) {
  auto owned = std::make_unique<Body>(std::move(body));
  const ThreadAttributes attributes;
  const SignalsBlocked blocked;
  Thread thread;
  check_started(pthread_create(&thread.thread_, attributes.get(), run_body, owned.get()));
  thread.is_joinable_ = true;
  owned.release();
  return thread;
}

#endif

}  // namespace bert_native
