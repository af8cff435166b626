#include "common/threads.h"

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

#if defined(_WIN32)
class SignalsBlocked {};
#else
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

std::thread start_thread(std::function<void()> body) {
  [[maybe_unused]] const SignalsBlocked blocked;
  try {
    return std::thread([body = std::move(body)] {
      set_default_floating_point();
      body();
    });
  } catch (const std::system_error& error) {
    throw Error(ErrorCode::kMemory, std::string("the system gave no further thread: ") + error.what());
  }
}

}  // namespace bert_native
