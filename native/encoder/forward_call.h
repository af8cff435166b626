#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

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

// One call of whatever engine. The memory that `sequences` point to is `memory`'s or a derived class's, or its owner
// cancels the call before it goes away. Nothing in it may belong to one thread: the last to let go of it can be any.
struct ForwardCall {
  using Clock = std::chrono::steady_clock;

  virtual ~ForwardCall() = default;

  std::vector<Sequence> sequences;
  std::shared_ptr<const void> memory;
  // Called once, on a thread of the library, when all is computed or something failed. Must not throw.
  std::function<void(std::exception_ptr failure)> done;
  std::shared_ptr<ForwardCounters> counters = std::make_shared<ForwardCounters>();
  OutputGate gate;  // closed where the call is cancelled
  Clock::time_point submitted_at, started_at, finished_at;
};

}  // namespace bert_native
