#pragma once

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

namespace bert_native::test {

// Whether the calling thread leaves the process's signals to others. Windows has none to leave.
inline bool signals_are_blocked() {
#if defined(_WIN32)
  return true;
#else
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPROF) == 1;
#endif
}

}  // namespace bert_native::test
