#include "common/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "common/compiler.h"
#include "common/cpu_quota.h"
#include "common/errors.h"
#include "common/threads.h"

#if defined(__linux__)
#include <sched.h>
#endif

namespace bert_native {

namespace {

// Longer than the gap between two jobs of one forward pass, shorter than anyone notices.
constexpr std::chrono::microseconds kSpinTime{200};

// Polls `ready` for kSpinTime. Returns whether it came true.
template <typename Condition>
bool spin_until(const Condition& ready) {
  const auto deadline = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      BN_SPIN_PAUSE();
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return ready();
}

}  // namespace

// The gate counts jobs and the workers inside one: (2 · jobs + open) << 32 | workers inside. A worker enters by adding
// one while the gate is open, so a worker that wakes up late finds it closed and the caller need not wait for it.
struct ThreadPool::State {
  static constexpr uint64_t kStep = uint64_t{1} << 32;
  static bool is_open(uint64_t gate) { return (gate & kStep) != 0; }
  static uint64_t job(uint64_t gate) { return gate / kStep; }
  static uint64_t workers_inside(uint64_t gate) { return gate % kStep; }

  std::vector<Thread> threads;

  // The job, written while the gate is closed and nobody is inside.
  const std::function<void(size_t, size_t)>* task = nullptr;
  size_t count = 0;
  std::atomic<size_t> next{0};
  std::exception_ptr failure;  // under `mutex`

  std::atomic<uint64_t> gate{0};
  std::atomic<size_t> sleeping_workers{0};
  std::atomic<bool> caller_sleeps{false};
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::condition_variable work_came, workers_left;

  void start(size_t worker_count);
  void stop();
  void run_worker(size_t worker);
  uint64_t await_job(uint64_t last_gate);
  bool enter();
  void leave();
  void run_indices(size_t worker);
  void await_workers();
};

void ThreadPool::State::start(size_t worker_count) {
  try {
    threads.reserve(worker_count);
    for (size_t worker = 1; worker <= worker_count; ++worker) {
      threads.push_back(start_thread([this, worker] { run_worker(worker); }));
    }
  } catch (...) {
    stop();
    throw;
  }
}

void ThreadPool::State::stop() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  work_came.notify_all();
  for (Thread& thread : threads) thread.join();
  threads.clear();
}

void ThreadPool::State::run_worker(size_t worker) {
  uint64_t gate_seen = 0;
  while (!stopping) {
    gate_seen = await_job(gate_seen);
    if (enter()) {
      run_indices(worker);
      leave();
    }
  }
}

// Returns the gate once it is open for another job than the last one seen, or the pool stops.
uint64_t ThreadPool::State::await_job(uint64_t last_gate) {
  const auto has_come = [&] {
    const uint64_t now = gate;
    return stopping || (is_open(now) && job(now) != job(last_gate));
  };
  if (!spin_until(has_come)) {
    std::unique_lock lock(mutex);
    ++sleeping_workers;  // before `gate` is read again: the caller opens the gate, then reads this
    work_came.wait(lock, has_come);
    --sleeping_workers;
  }
  return gate;
}

bool ThreadPool::State::enter() {
  uint64_t now = gate;
  while (is_open(now)) {
    if (gate.compare_exchange_weak(now, now + 1)) return true;
  }
  return false;
}

void ThreadPool::State::leave() {
  const uint64_t now = gate.fetch_sub(1) - 1;
  if (!is_open(now) && workers_inside(now) == 0 && caller_sleeps) {
    const std::lock_guard lock(mutex);
    workers_left.notify_one();
  }
}

void ThreadPool::State::run_indices(size_t worker) {
  try {
    for (size_t index; (index = next.fetch_add(1, std::memory_order_relaxed)) < count;) (*task)(index, worker);
  } catch (...) {
    next = count;
    const std::lock_guard lock(mutex);
    if (!failure) failure = std::current_exception();
  }
}

void ThreadPool::State::await_workers() {
  const auto have_left = [this] { return workers_inside(gate) == 0; };
  if (spin_until(have_left)) return;
  std::unique_lock lock(mutex);
  caller_sleeps = true;  // before `gate` is read again: the last worker leaves the gate, then reads this
  workers_left.wait(lock, have_left);
  caller_sleeps = false;
}

ThreadPool::ThreadPool(size_t threads) : state_(std::make_unique<State>()) {
  if (threads == 0) throw Error(ErrorCode::kOption, "a thread pool needs at least 1 thread, got 0");
  state_->start(threads - 1);
}

ThreadPool::~ThreadPool() { state_->stop(); }

size_t ThreadPool::thread_count() const { return state_->threads.size() + 1; }

void ThreadPool::parallel_for(size_t count, const std::function<void(size_t index, size_t worker)>& task) {
  State& state = *state_;
  if (count <= 1 || state.threads.empty()) {
    for (size_t index = 0; index < count; ++index) task(index, 0);
    return;
  }
  state.task = &task;
  state.count = count;
  state.next = 0;
  state.gate += State::kStep;  // opens
  if (state.sleeping_workers > 0) {
    { const std::lock_guard lock(state.mutex); }  // a worker between its check and its sleep holds the mutex
    state.work_came.notify_all();
  }
  state.run_indices(0);
  state.gate += State::kStep;  // closes
  state.await_workers();
  if (state.failure) std::rethrow_exception(std::exchange(state.failure, nullptr));
}

std::unique_ptr<ThreadPool> make_thread_pool(size_t threads) noexcept {
  for (; threads > 1; threads /= 2) {
    try {
      return std::make_unique<ThreadPool>(threads);
    } catch (...) {
    }
  }
  return nullptr;
}

size_t usable_thread_count() {
  size_t count = std::max(1u, std::thread::hardware_concurrency());
#if defined(__linux__)
  // The kernel refuses a set smaller than its own number of processors: try larger ones.
  for (size_t processors = 1024; processors <= (size_t{1} << 20); processors *= 2) {
    cpu_set_t* set = CPU_ALLOC(processors);
    if (set == nullptr) break;
    const bool known = sched_getaffinity(0, CPU_ALLOC_SIZE(processors), set) == 0;
    if (known) count = static_cast<size_t>(CPU_COUNT_S(CPU_ALLOC_SIZE(processors), set));
    CPU_FREE(set);
    if (known) break;
  }
#endif
  // Rounded down: a pool with more threads than its quota would be paused in the middle of every job.
  const double quota = cgroup_cpu_quota("");
  if (quota < static_cast<double>(count)) count = static_cast<size_t>(quota);
  return std::max<size_t>(1, count);
}

}  // namespace bert_native
