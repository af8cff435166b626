#include "cpu/scheduler.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "allocation_limit.h"
#include "await.h"
#include "check_throws.h"
#include "common/errors.h"
#include "cpu/requests.h"
#include "encoder/compute_limits.h"
#include "harness.h"
#include "signal_mask.h"

namespace bert_native::test {

namespace {

// A call with the memory of its requests.
struct RequestsTask : ForwardTask {
  std::vector<Request> requests;
  std::promise<std::exception_ptr> promise;
  std::future<std::exception_ptr> outcome = promise.get_future();

  RequestsTask(std::shared_ptr<const CpuEncoder> of, std::vector<Request> given, const Request::Wanted& wanted = {})
      : requests(std::move(given)) {
    encoder = std::move(of);
    for (Request& request : requests) {
      request.want(encoder->specification(), wanted);
      sequences.push_back(request.sequence);
    }
    done = [this](std::exception_ptr thrown) { promise.set_value(thrown); };
  }

  void await() {
    if (const std::exception_ptr thrown = outcome.get()) std::rethrow_exception(thrown);
  }
};

using SharedTask = std::shared_ptr<RequestsTask>;

SharedTask submit(const std::shared_ptr<const CpuEncoder>& encoder, std::vector<Request> requests,
                  const Request::Wanted& wanted = {}) {
  auto task = std::make_shared<RequestsTask>(encoder, std::move(requests), wanted);
  Scheduler::instance().submit(task);
  return task;
}

// Keeps the scheduler's thread busy until it is opened: what is submitted meanwhile waits.
class Gate {
 public:
  explicit Gate(const std::shared_ptr<const CpuEncoder>& encoder) {
    Numbers numbers(1);
    std::vector<Request> one;
    one.emplace_back(encoder->specification(), 1, Mask::kNone, numbers);
    const auto task = std::make_shared<RequestsTask>(encoder, std::move(one));
    const auto reached = std::make_shared<std::promise<void>>();
    task->done = [reached, opened = opened_.get_future().share()](std::exception_ptr) {
      reached->set_value();
      opened.wait();
    };
    Scheduler::instance().submit(task);
    reached->get_future().wait();
  }
  ~Gate() { open(); }
  Gate(const Gate&) = delete;
  void open() {
    if (!std::exchange(is_open_, true)) opened_.set_value();
  }

 private:
  std::promise<void> opened_;
  bool is_open_ = false;
};

std::shared_ptr<const CpuEncoder> load(const Model& model) {
  ThreadPool pool(2);
  return model.load(available_isas().back(), pool);
}

std::vector<Request> requests_of_length(const EncoderSpecification& specification, size_t count, size_t length,
                                        uint32_t seed) {
  Numbers numbers(seed);
  std::vector<Request> requests;
  for (size_t i = 0; i < count; ++i) requests.emplace_back(specification, length, Mask::kNone, numbers);
  return requests;
}

// Every kind of request, as small calls of one each, while a large call runs that each of them may interrupt.
void same_bits_whoever_runs_beside() {
  const Model model(make_specification(kOddSizes));
  const auto encoder = load(model);
  std::vector<std::vector<float>> expected;
  for (Request& request : make_requests(model.specification, 11)) {
    std::vector<Request> one;
    one.push_back(std::move(request));
    const SharedTask task = submit(encoder, std::move(one));
    task->await();
    expected.push_back(task->requests[0].outputs());
  }
  const SharedTask large_alone = submit(encoder, requests_of_length(model.specification, 300, 50, 3));
  large_alone->await();

  for (const size_t threads : {1, 3, 2}) {
    ComputeLimits::instance().set_thread_count(threads);
    const SharedTask large = submit(encoder, requests_of_length(model.specification, 300, 50, 3));
    std::vector<std::thread> callers;
    std::atomic<size_t> wrong{0}, failed{0};
    for (int caller = 0; caller < 4; ++caller) {
      callers.emplace_back([&] {
        std::vector<SharedTask> tasks;
        for (Request& request : make_requests(model.specification, 11)) {
          std::vector<Request> one;
          one.push_back(std::move(request));
          tasks.push_back(submit(encoder, std::move(one)));
        }
        for (size_t i = 0; i < tasks.size(); ++i) {
          if (tasks[i]->outcome.get() != nullptr) ++failed;
          if (!same_bits(tasks[i]->requests[0].outputs(), expected[i])) ++wrong;
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
    large->await();
    BN_CHECK(failed == 0, std::to_string(failed) + " calls failed");
    BN_CHECK(wrong == 0,
             std::to_string(wrong) + " calls differ from themselves alone, " + std::to_string(threads) + " threads");
    for (size_t i = 0; i < 300; ++i) {
      BN_CHECK(same_bits(large->requests[i].outputs(), large_alone->requests[i].outputs()),
               "sequence " + std::to_string(i) + " of the interrupted call differs");
    }
  }
}

void small_calls_overtake_large_ones() {
  const Model model(make_specification(kOddSizes));
  const auto encoder = load(model);
  Gate gate(encoder);
  const SharedTask large = submit(encoder, requests_of_length(model.specification, 2000, 60, 4));
  size_t in_the_middle = 0, behind = 0;
  std::promise<void> all_done;
  // Each but the first is submitted by the scheduler's own thread, when the one before it is done: whatever the
  // others' speed, the large call cannot run meanwhile.
  const std::function<void(int)> submit_small = [&](int left) {
    const auto small = std::make_shared<RequestsTask>(encoder, requests_of_length(model.specification, 1, 10, 5));
    small->done = [&, left](std::exception_ptr) {
      if (large->unfinished == 0) {
        ++behind;
      } else if (large->next > 0) {
        ++in_the_middle;
      }
      if (left > 1) {
        submit_small(left - 1);
      } else {
        all_done.set_value();
      }
    };
    Scheduler::instance().submit(small);
  };
  submit_small(10);
  gate.open();
  all_done.get_future().wait();
  large->await();
  BN_CHECK(behind == 0, std::to_string(behind) + " of 10 small calls waited until a large one was done");
  BN_CHECK(in_the_middle > 0, "no small call ran while the large one did");
}

void two_encoders_share_the_pool() {
  const Model first(make_specification(kOddSizes)), second(make_specification({200, 4, 50, 300, 1}));
  const auto a = load(first), b = load(second);
  // Blocks of the two alternate, in the same workspace.
  std::vector<SharedTask> tasks;
  for (int i = 0; i < 6; ++i) {
    const bool even = i % 2 == 0;
    tasks.push_back(submit(even ? a : b, requests_of_length((even ? first : second).specification, 60, 40, 6)));
  }
  for (const SharedTask& task : tasks) task->await();
  for (size_t i = 2; i < tasks.size(); ++i) {
    for (size_t r = 0; r < 60; ++r) {
      BN_CHECK(same_bits(tasks[i]->requests[r].outputs(), tasks[i % 2]->requests[r].outputs()), "calls differ");
    }
  }
}

void counts_what_it_does() {
  const Model model(make_specification(kOddSizes));
  const auto encoder = load(model);
  const auto counters = std::make_shared<ForwardCounters>();
  std::vector<SharedTask> tasks;
  Gate gate(encoder);
  for (int i = 0; i < 5; ++i) {
    auto task = std::make_shared<RequestsTask>(encoder, requests_of_length(model.specification, 100, 30, 7));
    task->counters = counters;
    Scheduler::instance().submit(task);
    tasks.push_back(task);
  }
  BN_CHECK(counters->queued_calls == 5 && counters->queued_tokens == 5 * 100 * 30, "five calls wait");
  Scheduler::instance().cancel(*tasks[4]);
  BN_CHECK(counters->queued_calls == 4 && counters->queued_tokens == 4 * 100 * 30, "four calls wait");
  gate.open();
  for (int i = 0; i < 4; ++i) tasks[static_cast<size_t>(i)]->await();
  BN_CHECK(counters->queued_calls == 0 && counters->running_calls == 0 && counters->queued_tokens == 0,
           "something is left: " + std::to_string(counters->queued_calls) + " queued, " +
               std::to_string(counters->running_calls) + " running, " + std::to_string(counters->queued_tokens) +
               " tokens");
  BN_CHECK(counters->finished_calls == 4, std::to_string(counters->finished_calls) + " calls finished");
  BN_CHECK(counters->computed_tokens == 4 * 100 * 30, std::to_string(counters->computed_tokens) + " tokens computed");
}

// Cancelled at any time: outputs stay as they are from then on, `done` is not called, and the others notice nothing.
void cancels_without_touching_others() {
  const Model model(make_specification(kOddSizes));
  const auto encoder = load(model);
  const SharedTask expected = submit(encoder, requests_of_length(model.specification, 20, 40, 8));
  expected->await();
  Numbers numbers(9);
  size_t in_the_middle = 0;
  for (int round = 0; round < 60; ++round) {
    // Shared: a call that was done just before it is cancelled may tell so just after.
    const auto cancelled = std::make_shared<std::atomic<bool>>(false),
               called_after = std::make_shared<std::atomic<bool>>(false);
    auto doomed = std::make_shared<RequestsTask>(encoder, requests_of_length(model.specification, 200, 40, 10));
    doomed->done = [=](std::exception_ptr) { *called_after = cancelled->load(); };
    std::vector<SharedTask> mates;
    mates.push_back(submit(encoder, requests_of_length(model.specification, 20, 40, 8)));
    Scheduler::instance().submit(doomed);
    mates.push_back(submit(encoder, requests_of_length(model.specification, 20, 40, 8)));
    std::this_thread::sleep_for(std::chrono::microseconds(numbers.below(8000)));
    Scheduler::instance().cancel(*doomed);
    std::vector<std::vector<float>> left;
    for (const Request& request : doomed->requests) left.push_back(request.outputs());
    const bool whole = doomed->unfinished == 0;
    *cancelled = !whole;
    if (!whole && !std::isnan(left[0][0])) ++in_the_middle;
    for (const SharedTask& mate : mates) {
      mate->await();
      for (size_t i = 0; i < 20; ++i) {
        BN_CHECK(same_bits(mate->requests[i].outputs(), expected->requests[i].outputs()),
                 "a call that ran beside a cancelled one is wrong");
      }
    }
    for (size_t i = 0; i < left.size(); ++i) {
      BN_CHECK(same_bits(left[i], doomed->requests[i].outputs()), "a cancelled call's outputs were written");
    }
    BN_CHECK(!*called_after, "`done` of a cancelled call was called");
  }
  note(std::to_string(in_the_middle) + " of 60 calls were cancelled in the middle");
}

void refuses_what_the_queue_cannot_hold() {
  const Model model(make_specification(kOddSizes));
  const auto encoder = load(model);
  ComputeLimits& limits = ComputeLimits::instance();
  limits.set_max_queued_tokens(5000);
  check_throws(ErrorCode::kQueueFull, "brings 6000 tokens",
               [&] { submit(encoder, requests_of_length(model.specification, 100, 60, 12)); });
  std::vector<SharedTask> accepted;
  size_t refused = 0;
  Gate gate(encoder);
  for (int i = 0; i < 5; ++i) {
    try {
      accepted.push_back(submit(encoder, requests_of_length(model.specification, 40, 60, 12)));
    } catch (const Error& error) {
      BN_CHECK(error.code() == ErrorCode::kQueueFull, error.what());
      ++refused;
    }
  }
  gate.open();
  for (const SharedTask& task : accepted) task->await();
  submit(encoder, requests_of_length(model.specification, 40, 60, 12))->await();
  limits.set_max_queued_tokens(std::numeric_limits<size_t>::max());
  BN_CHECK(refused == 3 && accepted.size() == 2, std::to_string(refused) + " of 5 calls were refused");
}

void refuses_wrong_sequences_before_they_wait() {
  const Model model(make_specification(kOddSizes));
  const auto encoder = load(model);
  std::vector<Request> requests = requests_of_length(model.specification, 2, 5, 13);
  requests[1].input_ids[3] = 131;
  check_throws(ErrorCode::kTokenId, "token id 131 at sequence 1, position 3",
               [&] { submit(encoder, std::move(requests)); });
}

void finishes_calls_of_nothing() {
  const Model model(make_specification(kOddSizes));
  const auto encoder = load(model);
  submit(encoder, {})->await();
  const SharedTask empty_rows = submit(encoder, requests_of_length(model.specification, 3, 0, 14));
  empty_rows->await();
  BN_CHECK(empty_rows->requests[0].pooled[0] == 0.0f, "the vector of no tokens is not zero");
}

// A workspace for the whole block is more than there is; one for a part of it is not.
void computes_in_smaller_blocks_where_memory_is_short() {
  const Model model(make_specification(kOddSizes));
  const auto encoder = load(model);
  const Request::Wanted only_pooled{false, false, true, false, false};
  const SharedTask expected = submit(encoder, requests_of_length(model.specification, 20, 50, 15), only_pooled);
  expected->await();
  const Model other(make_specification({300, 3, 100, 400, 1}));
  const auto larger = load(other);
  const SharedTask hopeless_alone = submit(larger, requests_of_length(other.specification, 1, 64, 16), only_pooled);
  hopeless_alone->await();
  await([] { return Scheduler::instance().workspace_size_bytes() == 0; }, "the last block's workspace is kept");

  SharedTask task, hopeless;
  {
    const AllocationLimit limit(64 * 1024);
    task = submit(encoder, requests_of_length(model.specification, 20, 50, 15), only_pooled);
    hopeless = submit(larger, requests_of_length(other.specification, 3, 64, 16), only_pooled);
    task->await();
    check_throws(ErrorCode::kMemory, "could not allocate", [&] { hopeless->await(); });
    BN_CHECK(limit.failures() > 0, "no allocation failed");
  }
  for (size_t i = 0; i < 20; ++i) {
    BN_CHECK(same_bits(task->requests[i].pooled, expected->requests[i].pooled), "a call in smaller blocks differs");
  }
}

void its_thread_takes_no_signals() {
  const Model model(make_specification(kOddSizes));
  auto task = std::make_shared<RequestsTask>(load(model), requests_of_length(model.specification, 1, 5, 17));
  std::promise<bool> blocked;
  task->done = [&](std::exception_ptr) { blocked.set_value(signals_are_blocked()); };
  Scheduler::instance().submit(task);
  BN_CHECK(blocked.get_future().get(), "the scheduler's thread would run the process's signal handlers");
}

void add_tests() {
  add("cpu/scheduler: same bits whoever runs beside", same_bits_whoever_runs_beside);
  add("cpu/scheduler: small calls overtake large ones", small_calls_overtake_large_ones);
  add("cpu/scheduler: two encoders share the pool", two_encoders_share_the_pool);
  add("cpu/scheduler: counts what it does", counts_what_it_does);
  add("cpu/scheduler: cancels without touching others", cancels_without_touching_others);
  add("cpu/scheduler: refuses what the queue cannot hold", refuses_what_the_queue_cannot_hold);
  add("cpu/scheduler: refuses wrong sequences before they wait", refuses_wrong_sequences_before_they_wait);
  add("cpu/scheduler: finishes calls of nothing", finishes_calls_of_nothing);
  add("cpu/scheduler: computes in smaller blocks where memory is short",
      computes_in_smaller_blocks_where_memory_is_short);
  add("cpu/scheduler: its thread takes no signals", its_thread_takes_no_signals);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
