#include "cpu/background.h"

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

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

// Jobs at once share their helpers, and the next one has all of them again.
void jobs_share_their_helpers() {
  std::promise<size_t> first, second;
  std::promise<void> go_on, ended;
  const std::shared_future<void> may_end = go_on.get_future().share();
  run_on_own_threads(3, [&](ThreadPool& pool) {
    first.set_value(pool.thread_count());
    may_end.wait();
  });
  BN_CHECK(first.get_future().get() == 3, "a job alone does not get the threads it asked for");
  run_on_own_threads(4, [&](ThreadPool& pool) {
    second.set_value(pool.thread_count());
    may_end.wait();
    ended.set_value();
  });
  const size_t beside = second.get_future().get();
  go_on.set_value();
  ended.get_future().get();
  BN_CHECK(beside == 2, "beside two helpers a job that asked for three got " + std::to_string(beside - 1));
  // The first two may still be letting go.
  for (int round = 0; round < 10000; ++round) {
    std::promise<size_t> count;
    run_on_own_threads(3, [&](ThreadPool& pool) { count.set_value(pool.thread_count()); });
    if (count.get_future().get() == 3) return;
  }
  BN_CHECK(false, "helpers of jobs that have ended are not given back");
}

void a_job_without_helpers_runs_alone() {
  for (const size_t threads : {0, 1}) {
    std::promise<size_t> count;
    run_on_own_threads(threads, [&](ThreadPool& pool) { count.set_value(pool.thread_count()); });
    BN_CHECK(count.get_future().get() == 1, std::to_string(threads) + " threads");
  }
}

void add_tests() {
  add("cpu/background: survives jobs that throw", survives_jobs_that_throw);
  add("cpu/background: its threads take no signals", its_threads_take_no_signals);
  add("cpu/background: jobs share their helpers", jobs_share_their_helpers);
  add("cpu/background: a job without helpers runs alone", a_job_without_helpers_runs_alone);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
