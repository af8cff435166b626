// What a static libstdc++ built for a newer glibc asks of it, where the addon is linked for an older one: see
// bert_native_portable() in CMakeLists.txt. Hidden, so that it serves this module alone.

#include <pthread.h>

#include <cerrno>
#include <ctime>

namespace {

constexpr long kNanosecondsPerSecond = 1'000'000'000;

timespec now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time;
}

// a + b - c, none of which is negative; what would lie before the epoch is the epoch.
timespec shifted(const timespec& a, const timespec& b, const timespec& c) {
  timespec sum{a.tv_sec + b.tv_sec - c.tv_sec, a.tv_nsec + b.tv_nsec - c.tv_nsec};
  while (sum.tv_nsec < 0) sum = {sum.tv_sec - 1, sum.tv_nsec + kNanosecondsPerSecond};
  while (sum.tv_nsec >= kNanosecondsPerSecond) sum = {sum.tv_sec + 1, sum.tv_nsec - kNanosecondsPerSecond};
  return sum.tv_sec < 0 ? timespec{} : sum;
}

bool is_before(const timespec& a, const timespec& b) {
  return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

}  // namespace

extern "C" {

// glibc 2.32: whether reference counts may do without atomic operations. They may not.
[[gnu::visibility("hidden")]] char __libc_single_threaded = 0;

// glibc 2.30. Waits by the wall clock for as long as `deadline` is ahead on `clock`; where somebody set the wall clock
// meanwhile, the caller is woken too early, which a condition variable may always do.
[[gnu::visibility("hidden")]] int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                                         clockid_t clock, const timespec* deadline) {
  if (clock == CLOCK_REALTIME) return pthread_cond_timedwait(condition, mutex, deadline);
  const timespec wall_deadline = shifted(*deadline, now(CLOCK_REALTIME), now(clock));
  const int status = pthread_cond_timedwait(condition, mutex, &wall_deadline);
  return status == ETIMEDOUT && is_before(now(clock), *deadline) ? 0 : status;
}

}  // extern "C"
