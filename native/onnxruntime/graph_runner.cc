#include "onnxruntime/graph_runner.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <span>
#include <tuple>
#include <utility>

#include "common/errors.h"
#include "common/threads.h"
#include "encoder/compute_limits.h"
#include "onnxruntime/batch_inputs.h"
#include "onnxruntime/batch_outputs.h"
#include "onnxruntime/call_plan.h"

namespace bert_native {

namespace {

// An idle thread keeps the memory of its last batch for so long, and from batch to batch no more than so much.
constexpr std::chrono::seconds kScratchKept{1};
constexpr size_t kScratchKeptBytes = size_t{128} << 20;

// Threads of ComputeLimits that a run of the encoder takes.
size_t cost(const GraphEncoder& encoder) {
  return std::clamp<size_t>(encoder.intra_op_threads, 1, ComputeLimits::instance().thread_count());
}

void run_once(const BatchRows& batch, RunTermination& termination, GraphScratch& scratch) {
  scratch.begin();
  const std::vector<GraphTensor> inputs = fill_inputs(batch, scratch);
  BatchOutputs outputs(batch, scratch);
  batch.task.encoder->session->run(inputs, outputs.tensors(), termination);
  outputs.deliver();
}

// Where memory is short the batch is tried again in halves, down to single rows: a call fails only if one of its rows
// cannot be computed by itself.
void run_rows(const BatchRows& batch, RunTermination& termination, GraphScratch& scratch) {
  try {
    run_once(batch, termination, scratch);
    return;
  } catch (...) {
    if (!is_out_of_memory(std::current_exception())) throw;
    if (batch.rows.size() == 1 || batch.task.encoder->binding.fixed_rows > 0) throw;
  }
  scratch = {};
  const size_t half = batch.rows.size() / 2;
  run_rows({batch.task, batch.rows.first(half), batch.columns}, termination, scratch);
  run_rows({batch.task, batch.rows.subspan(half), batch.columns}, termination, scratch);
}

}  // namespace

struct GraphRunner::Work {
  std::shared_ptr<GraphTask> task;
  const GraphBatch* batch = nullptr;
  size_t cost = 0;
  bool beside = false;
};

GraphRunner& GraphRunner::instance() {
  // Lives until the process ends: its threads may not be joined while static objects are being destroyed.
  static GraphRunner* const runner = new GraphRunner();
  return *runner;
}

void GraphRunner::submit(std::shared_ptr<GraphTask> task) {
  ComputeLimits& limits = ComputeLimits::instance();
  const size_t threads = limits.thread_count();
  for (Sequence& sequence : task->sequences) sequence.gate = &task->gate;
  plan_call(*task, std::max<size_t>(1, threads / cost(*task->encoder)));
  task->submitted_at = task->started_at = task->finished_at = ForwardCall::Clock::now();
  if (task->batches.empty()) {
    task->settled = true;
    ++task->counters->finished_calls;
    std::exchange(task->done, nullptr)(nullptr);
    return;
  }
  size_t total = 0;
  for (const uint32_t columns : task->columns) total += columns;
  task->waiting_tokens = total;

  const std::lock_guard lock(mutex_);
  limits.add_queued_tokens(total);
  ForwardCounters& counters = *task->counters;
  GraphTask& added = *task;
  try {
    queue_.add(std::move(task));
  } catch (...) {
    limits.remove_queued_tokens(total);
    throw;
  }
  ++counters.queued_calls;
  counters.queued_tokens += total;
  try {
    wake_another();
  } catch (...) {
    drop_waiting(added);
    --counters.queued_calls;
    throw;
  }
}

bool GraphRunner::cancel(GraphTask& task) {
  const std::lock_guard lock(mutex_);
  if (task.settled || task.gate.is_closed()) return false;
  task.gate.close();
  --(task.next > 0 ? task.counters->running_calls : task.counters->queued_calls);
  drop_waiting(task);
  task.termination.terminate();
  task.settled = task.running == 0;
  return task.running > 0;
}

ForwardCounts GraphRunner::read(const ForwardCounters& counters) {
  const std::lock_guard lock(mutex_);
  return {counters.queued_calls, counters.running_calls, counters.queued_tokens, counters.finished_calls,
          counters.computed_tokens};
}

void GraphRunner::drop_waiting(GraphTask& task) {
  queue_.remove(task);
  task.counters->queued_tokens -= task.waiting_tokens;
  ComputeLimits::instance().remove_queued_tokens(task.waiting_tokens);
  task.waiting_tokens = 0;
  task.next = task.batches.size();
}

bool GraphRunner::can_start() const {
  if (queue_.is_empty()) return false;
  const bool fits = busy_ == 0 || busy_ + cost(*queue_.next()->encoder) <= ComputeLimits::instance().thread_count();
  return fits || (queue_.has_small() && !runs_beside_);
}

// Lets a sleeping thread look for work, or starts one. Under the lock. Throws kMemory where there is no thread at all.
void GraphRunner::wake_another() {
  if (!can_start()) return;
  if (idle_threads_ > 0) {
    wake_.notify_one();
    return;
  }
  ++thread_count_;
  try {
    start_thread([this] { serve(); }).detach();
  } catch (...) {
    --thread_count_;
    if (thread_count_ == 0) throw;
  }
}

void GraphRunner::serve() {
  GraphScratch scratch;
  for (;;) {
    Work work;
    {
      std::unique_lock lock(mutex_);
      await_work(lock, scratch);
      work = take();
      wake_another();
    }
    const std::exception_ptr failure = run(work, scratch);
    keep_scratch(scratch, kScratchKeptBytes);
    settle(work, failure);
  }
}

void GraphRunner::await_work(std::unique_lock<std::mutex>& lock, GraphScratch& scratch) {
  const auto has_work = [this] { return can_start(); };
  ++idle_threads_;
  if (!wake_.wait_for(lock, kScratchKept, has_work)) {
    lock.unlock();
    keep_scratch(scratch, 0);
    lock.lock();
    wake_.wait(lock, has_work);
  }
  --idle_threads_;
}

GraphRunner::Work GraphRunner::take() {
  Work work;
  work.cost = cost(*queue_.next()->encoder);
  work.beside = busy_ > 0 && busy_ + work.cost > ComputeLimits::instance().thread_count();
  std::tie(work.task, work.batch) = work.beside ? queue_.take_small() : queue_.take();
  (work.beside ? runs_beside_ = true : busy_ += work.cost);
  GraphTask& task = *work.task;
  const size_t tokens = task.tokens(*work.batch);
  task.counters->queued_tokens -= tokens;
  ComputeLimits::instance().remove_queued_tokens(tokens);
  ++task.running;
  if (work.batch == &task.batches.front()) {
    task.started_at = ForwardCall::Clock::now();
    --task.counters->queued_calls;
    ++task.counters->running_calls;
  }
  return work;
}

std::exception_ptr GraphRunner::run(const Work& work, GraphScratch& scratch) noexcept {
  const size_t before = scratch.size_in_bytes();
  std::exception_ptr failure;
  try {
    run_rows({*work.task, work.batch->rows, work.batch->columns}, work.task->termination, scratch);
  } catch (...) {
    failure = std::current_exception();
  }
  workspace_size_bytes_ += scratch.size_in_bytes() - before;
  return failure;
}

void GraphRunner::settle(Work& work, const std::exception_ptr& failure) noexcept {
  GraphTask& task = *work.task;
  bool complete = false;
  {
    const std::lock_guard lock(mutex_);
    if (work.beside) {
      runs_beside_ = false;
    } else {
      busy_ -= work.cost;
    }
    --task.running;
    const bool cancelled = task.gate.is_closed();
    if (failure == nullptr) {
      task.counters->computed_tokens += task.tokens(*work.batch);
    } else if (!cancelled && task.failure == nullptr) {
      task.failure = failure;
      drop_waiting(task);
      task.termination.terminate();
    }
    complete = task.running == 0 && task.next == task.batches.size() && !task.settled;
    if (complete) {
      task.settled = true;
      task.finished_at = ForwardCall::Clock::now();
      if (!cancelled) {
        --task.counters->running_calls;
        ++task.counters->finished_calls;
      }
    }
  }
  if (complete && task.done) std::exchange(task.done, nullptr)(task.failure);
}

// Gives the thread's memory back where it is more than that.
void GraphRunner::keep_scratch(GraphScratch& scratch, size_t most_bytes) {
  const size_t bytes = scratch.size_in_bytes();
  if (bytes <= most_bytes) return;
  scratch = {};
  workspace_size_bytes_ -= bytes;
}

}  // namespace bert_native
