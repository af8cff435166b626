#include "cpu/background.h"

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "await.h"
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

// The threads of a job's pool; the job ends when `may_end` says so. The job outlives the call: what it uses is its own.
size_t threads_of_job(size_t wanted, const std::shared_future<void>& may_end) {
  auto count = std::make_shared<std::promise<size_t>>();
  std::future<size_t> result = count->get_future();
  run_on_own_threads(wanted, [count, may_end](ThreadPool& pool) {
    count->set_value(pool.thread_count());
    may_end.wait();
  });
  return result.get();
}

// Who comes while another has the threads works alone; whoever comes later has them again.
void shared_threads_serve_one_at_a_time() {
  std::atomic<size_t> sum{0};
  const auto add_up = [&](ThreadPool* pool) {
    BN_CHECK(pool != nullptr && pool->thread_count() == 3, "three threads were asked for");
    pool->parallel_for(100, [&](size_t i, size_t) { sum += i; });
    std::thread([] {
      with_shared_threads(3, [](ThreadPool* other) { BN_CHECK(other == nullptr, "the threads are taken"); });
    }).join();
  };
  with_shared_threads(3, add_up);
  with_shared_threads(3, add_up);
  BN_CHECK(sum == 2 * 4950, std::to_string(sum));
  with_shared_threads(1, [](ThreadPool* pool) { BN_CHECK(pool == nullptr, "there is no other thread than this"); });
  try {
    with_shared_threads(2, [](ThreadPool*) { throw std::runtime_error("work may throw"); });
    BN_CHECK(false, "nothing was thrown");
  } catch (const std::runtime_error&) {
  }
  with_shared_threads(2, [](ThreadPool* pool) { BN_CHECK(pool != nullptr, "the threads were not given back"); });
}

// A job that has all three threads that it wants, which it keeps until it may end. Jobs before it that are done may
// still be letting go of theirs: it is tried again until they have.
std::promise<void> hold_three_threads() {
  std::promise<void> may_end;
  const auto has_all = [&] {
    may_end = {};
    if (threads_of_job(3, may_end.get_future().share()) == 3) return true;
    may_end.set_value();
    return false;
  };
  await(has_all, "helpers of jobs that have ended are not given back");
  return may_end;
}

// Jobs at once share their helpers, and later ones have all of them again.
void jobs_share_their_helpers() {
  std::promise<void> gone_on;
  gone_on.set_value();
  std::promise<void> first_may_end = hold_three_threads();
  const size_t second = threads_of_job(4, gone_on.get_future().share());
  first_may_end.set_value();
  BN_CHECK(second == 2, "a job beside one with two helpers got " + std::to_string(second) + " threads of 4");
  hold_three_threads().set_value();
}

void a_job_without_helpers_runs_alone() {
  std::promise<void> gone_on;
  const std::shared_future<void> at_once = gone_on.get_future().share();
  gone_on.set_value();
  for (const size_t threads : {0, 1}) {
    BN_CHECK(threads_of_job(threads, at_once) == 1, std::to_string(threads) + " threads");
  }
}

void add_tests() {
  add("cpu/background: survives jobs that throw", survives_jobs_that_throw);
  add("cpu/background: its threads take no signals", its_threads_take_no_signals);
  add("cpu/background: shared threads serve one caller at a time", shared_threads_serve_one_at_a_time);
  add("cpu/background: jobs share their helpers", jobs_share_their_helpers);
  add("cpu/background: a job without helpers runs alone", a_job_without_helpers_runs_alone);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
