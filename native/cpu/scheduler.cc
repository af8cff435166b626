#include "cpu/scheduler.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <numeric>
#include <thread>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/threads.h"
#include "encoder/compute_limits.h"
#include "encoder/plan.h"

namespace bert_native {

namespace {

// Rows of a block for each thread, and bounds of the whole. On a few threads throughput hardly depends on it: more only
// makes others wait longer.
constexpr size_t kRowsPerThread = 512, kLeastBlockRows = 512, kMostBlockRows = 4096;
// Rows slipped in between two steps of a larger block, at most.
constexpr size_t kInterruptionRows = 256;
// Until a block is tried again for which no memory was left.
constexpr std::chrono::milliseconds kMemoryRetry{1};
// An idle pool keeps the memory of its last block for so long.
constexpr std::chrono::seconds kWorkspaceKept{1};

size_t block_rows(size_t threads) { return std::clamp(kRowsPerThread * threads, kLeastBlockRows, kMostBlockRows); }

std::vector<const Sequence*> sequences_of(const Block& block) {
  std::vector<const Sequence*> sequences;
  for (const auto& [task, begin, end] : block.shares) {
    for (size_t i = begin; i < end; ++i) sequences.push_back(&task->sequences[i]);
  }
  return sequences;
}

size_t sequence_count(const Block& block) {
  size_t count = 0;
  for (const Block::Share& share : block.shares) count += share.end - share.begin;
  return count;
}

std::pair<Block, Block> halves(const Block& block) {
  std::pair<Block, Block> result;
  size_t left = sequence_count(block) / 2;
  for (const auto& [task, begin, end] : block.shares) {
    const size_t cut = begin + std::min(left, end - begin);
    if (cut > begin) result.first.shares.push_back({task, begin, cut});
    if (end > cut) result.second.shares.push_back({task, cut, end});
    left -= cut - begin;
  }
  return result;
}

}  // namespace

class Scheduler::BlockControl : public PassControl {
 public:
  BlockControl(Scheduler& scheduler, const Block& block, bool interruptible)
      : scheduler_(scheduler), block_(block), interruptible_(interruptible) {}

  bool is_abandoned() const override {
    return std::all_of(block_.shares.begin(), block_.shares.end(),
                       [](const Block::Share& share) { return share.task->gate.is_closed(); });
  }
  void between_steps() override {
    if (interruptible_) scheduler_.run_interruptions();
  }

 private:
  Scheduler& scheduler_;
  const Block& block_;
  bool interruptible_;
};

Scheduler& Scheduler::instance() {
  // Lives until the process ends: its threads may not be joined while static objects are being destroyed.
  static Scheduler* const scheduler = new Scheduler();
  return *scheduler;
}

void Scheduler::submit(std::shared_ptr<ForwardTask> task) {
  const EncoderSpecification& specification = task->encoder->specification();
  check_batch(specification, task->sequences);
  size_t total = 0;
  task->rows.reserve(task->sequences.size());
  for (Sequence& sequence : task->sequences) {
    sequence.gate = &task->gate;
    task->rows.push_back(static_cast<uint32_t>(std::max<size_t>(1, needed_rows(specification, sequence))));
    total += task->rows.back();
  }
  task->unfinished = task->sequences.size();
  task->submitted_at = task->started_at = task->finished_at = ForwardTask::Clock::now();
  if (task->unfinished == 0) {
    ++task->counters->finished_calls;
    task->done(nullptr);
    return;
  }

  ComputeLimits& limits = ComputeLimits::instance();
  limits.thread_count();  // whose setting may be wrong, which is an error of the call
  const std::lock_guard lock(mutex_);
  limits.add_queued_tokens(total);
  ForwardCounters& counters = *task->counters;
  try {
    if (!started_) {
      start_thread([this] { serve(); }).detach();
      started_ = true;
    }
    queue_.add(std::move(task));
  } catch (...) {
    limits.remove_queued_tokens(total);
    throw;
  }
  ++counters.queued_calls;
  counters.queued_tokens += total;
  wake_.notify_one();
}

void Scheduler::cancel(ForwardTask& task) {
  const std::lock_guard lock(mutex_);
  if (task.gate.is_closed() || task.unfinished == 0) return;
  task.gate.close();
  const bool started = task.next > 0;
  --(started ? task.counters->running_calls : task.counters->queued_calls);
  drop_waiting(task);
}

// Of what is cancelled or has failed nothing more is computed.
void Scheduler::drop_waiting(ForwardTask& task) {
  const size_t rows = task.waiting_rows;
  if (!queue_.remove(task)) return;
  task.counters->queued_tokens -= rows;
  ComputeLimits::instance().remove_queued_tokens(rows);
}

ForwardCounts Scheduler::read(const ForwardCounters& counters) {
  const std::lock_guard lock(mutex_);
  return {counters.queued_calls, counters.running_calls, counters.queued_tokens, counters.finished_calls,
          counters.computed_tokens};
}

void Scheduler::serve() {
  for (;;) {
    Block block;
    size_t threads;
    {
      std::unique_lock lock(mutex_);
      await_task(lock);
      threads = ComputeLimits::instance().thread_count();
      block = take_block([&] { return queue_.take(block_rows(threads)); });
    }
    if (block.shares.empty()) {
      std::this_thread::sleep_for(kMemoryRetry);
      continue;
    }
    if (pool_threads_ != threads) {
      pool_ = nullptr;
      pool_ = make_thread_pool(threads);
      pool_threads_ = threads;
    }
    const bool interruptible = !block.small;
    is_computing_ = true;
    run(std::move(block), workspace_, interruptible);
    is_computing_ = false;
  }
}

void Scheduler::await_task(std::unique_lock<std::mutex>& lock) {
  const auto has_task = [&] { return !queue_.is_empty(); };
  if (wake_.wait_for(lock, kWorkspaceKept, has_task)) return;
  lock.unlock();
  workspace_ = {};
  interruption_workspace_ = {};
  workspace_size_bytes_ = 0;
  lock.lock();
  wake_.wait(lock, has_task);
}

void Scheduler::run_interruptions() {
  for (;;) {
    Block block;
    {
      const std::lock_guard lock(mutex_);
      block = take_block([&] { return queue_.take_interruption(kInterruptionRows); });
    }
    if (block.shares.empty()) return;
    run(std::move(block), interruption_workspace_, false);
  }
}

void Scheduler::run(Block block, Workspace& workspace, bool interruptible) noexcept {
  BlockControl control(*this, block, interruptible);
  compute(block, workspace, control);
  workspace_size_bytes_ = workspace_.size_in_bytes() + interruption_workspace_.size_in_bytes();
  settle(block);
}

// Where memory is short the block is tried again in halves, down to single sequences: a call fails only if it cannot be
// computed by itself.
void Scheduler::compute(const Block& block, Workspace& workspace, PassControl& control) noexcept {
  std::exception_ptr failure;
  try {
    const CpuEncoder& encoder = *block.shares.front().task->encoder;
    encoder.run_block(sequences_of(block), pool(), control, workspace);
    return;
  } catch (...) {
    failure = std::current_exception();
  }
  if (is_out_of_memory(failure) && sequence_count(block) > 1) {
    try {
      workspace = {};
      const auto [first, second] = halves(block);
      compute(first, workspace, control);
      compute(second, workspace, control);
      return;
    } catch (...) {
    }
  }
  for (const Block::Share& share : block.shares) share.task->failure = failure;
}

// Without shares where not even the memory for one is there: what waits goes on waiting.
Block Scheduler::take_block(const std::function<Block()>& take) noexcept {
  try {
    Block block = take();
    begin(block);
    return block;
  } catch (const std::bad_alloc&) {
    return {};
  }
}

// Notes what the queue gave, before the lock is let go of.
void Scheduler::begin(const Block& block) noexcept {
  const auto now = ForwardTask::Clock::now();
  for (const auto& [task, begin, end] : block.shares) {
    const auto rows = task->rows.begin();
    const size_t taken =
        std::accumulate(rows + static_cast<ptrdiff_t>(begin), rows + static_cast<ptrdiff_t>(end), size_t{0});
    task->counters->queued_tokens -= taken;
    ComputeLimits::instance().remove_queued_tokens(taken);
    if (begin > 0) continue;
    task->started_at = now;
    --task->counters->queued_calls;
    ++task->counters->running_calls;
  }
}

void Scheduler::settle(const Block& block) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const auto now = ForwardTask::Clock::now();
    for (const auto& [task, begin, end] : block.shares) {
      if (task->gate.is_closed() || task->unfinished == 0) continue;
      task->unfinished -= end - begin;
      if (task->failure != nullptr) {
        drop_waiting(*task);
        task->unfinished = 0;
      } else {
        const auto rows = task->rows.begin();
        task->counters->computed_tokens +=
            std::accumulate(rows + static_cast<ptrdiff_t>(begin), rows + static_cast<ptrdiff_t>(end), size_t{0});
      }
      if (task->unfinished > 0) continue;
      task->finished_at = now;
      --task->counters->running_calls;
      ++task->counters->finished_calls;
    }
  }
  for (const Block::Share& share : block.shares) {
    ForwardTask& task = *share.task;
    if (task.unfinished > 0 || task.gate.is_closed() || !task.done) continue;
    const auto done = std::exchange(task.done, nullptr);
    done(task.failure);
  }
}

}  // namespace bert_native
