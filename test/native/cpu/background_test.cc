#include "cpu/background.h"

#include <future>
#include <memory>
#include <stdexcept>

#include "harness.h"
#include "signal_mask.h"

namespace bert_native::test {

namespace {

using Run = void (*)(BackgroundJob);

void run_on_two_threads(BackgroundJob job) { run_on_own_threads(2, std::move(job)); }

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
  for (const Run run : {run_in_background, run_on_two_threads}) {
    run([](ThreadPool&) { throw std::runtime_error("a job may not do this"); });
    BN_CHECK(result_of(run, [] { return 7; }) == 7, "the job behind one that threw did not run");
  }
}

void its_threads_take_no_signals() {
  for (const Run run : {run_in_background, run_on_two_threads}) {
    BN_CHECK(result_of(run, signals_are_blocked), "a thread would run the process's signal handlers");
  }
}

void add_tests() {
  add("cpu/background: survives jobs that throw", survives_jobs_that_throw);
  add("cpu/background: its threads take no signals", its_threads_take_no_signals);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
