#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "cpu/encoder.h"
#include "encoder/batch.h"

namespace bert_native {

// What the calls of one model are doing and have done. Tokens are rows to compute: masked positions that no result
// shows are not among them.
struct ForwardCounters {
  std::atomic<size_t> queued_calls{0}, running_calls{0}, queued_tokens{0};
  std::atomic<uint64_t> finished_calls{0}, computed_tokens{0};
};

// All of them at one moment: each call is queued, running or finished.
struct ForwardCounts {
  size_t queued_calls, running_calls, queued_tokens;
  uint64_t finished_calls, computed_tokens;
};

// One call on its way through the scheduler. Who makes it derives a class that owns the memory that `sequences` point
// to, or ends their use of it by Scheduler::cancel(). Nothing in it may belong to one thread: the last to let go of it
// can be any.
struct ForwardTask {
  using Clock = std::chrono::steady_clock;

  virtual ~ForwardTask() = default;

  std::shared_ptr<const CpuEncoder> encoder;
  std::vector<Sequence> sequences;
  // Called once, on a thread of the library, when all is computed or something failed; not after cancel(). Must not
  // throw.
  std::function<void(std::exception_ptr failure)> done;
  std::shared_ptr<ForwardCounters> counters = std::make_shared<ForwardCounters>();
  OutputGate gate;  // closed by cancel()
  Clock::time_point submitted_at, started_at, finished_at;

  // Of the scheduler and its queue, under the scheduler's lock.
  std::vector<uint32_t> rows;  // that each sequence needs, at least 1
  size_t waiting_rows = 0;     // of the sequences from `next` on
  size_t next = 0;             // the first sequence that was not taken yet
  size_t unfinished = 0;       // sequences that are not computed yet
  bool small = false;
  uint64_t arrival = 0;
  double virtual_time = 0;
  std::exception_ptr failure;  // of the serving thread
};

}  // namespace bert_native
