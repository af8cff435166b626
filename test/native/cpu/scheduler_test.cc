#include "cpu/scheduler.h"

#include <future>
#include <memory>
#include <stdexcept>
#include <string>

#if !defined(_WIN32)
#include <pthread.h>
#include <signal.h>
#endif

#include "harness.h"

namespace bert_native::test {

namespace {

using Run = void (*)(Scheduler::Job);

// Runs a job by `run` and waits for what it returns.
template <typename Body>
auto result_of(Run run, const Body& body) {
  using Result = decltype(body());
  auto promise = std::make_shared<std::promise<Result>>();
  std::future<Result> result = promise->get_future();
  run([promise, body](ThreadPool&) { promise->set_value(body()); });
  return result.get();
}

void survives_jobs_that_throw() {
  for (const Run run : {Run{run_on_pool}, Run{run_in_background}, Run{run_on_own_thread}}) {
    run([](ThreadPool&) { throw std::runtime_error("a job may not do this"); });
    BN_CHECK(result_of(run, [] { return 7; }) == 7, "the job behind one that threw did not run");
  }
}

void uses_the_threads_asked_for() {
  Scheduler& scheduler = Scheduler::forward_passes();
  for (const size_t threads : {3, 1, 2}) {
    scheduler.set_thread_count(threads);
    auto promise = std::make_shared<std::promise<size_t>>();
    std::future<size_t> seen = promise->get_future();
    scheduler.submit([promise](ThreadPool& pool) { promise->set_value(pool.thread_count()); });
    const size_t count = seen.get();
    BN_CHECK(count == threads, "the pool has " + std::to_string(count) + " threads, not " + std::to_string(threads));
  }
}

#if !defined(_WIN32)
void its_threads_take_no_signals() {
  for (const Run run : {Run{run_on_pool}, Run{run_in_background}, Run{run_on_own_thread}}) {
    const bool blocked = result_of(run, [] {
      sigset_t mask;
      pthread_sigmask(SIG_BLOCK, nullptr, &mask);
      return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPROF) == 1;
    });
    BN_CHECK(blocked, "a thread would run the process's signal handlers");
  }
}
#endif

void add_tests() {
  add("cpu/scheduler: survives jobs that throw", survives_jobs_that_throw);
  add("cpu/scheduler: uses the threads asked for", uses_the_threads_asked_for);
#if !defined(_WIN32)
  add("cpu/scheduler: its threads take no signals", its_threads_take_no_signals);
#endif
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
