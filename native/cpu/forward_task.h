#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <vector>

#include "cpu/encoder.h"
#include "encoder/forward_call.h"

namespace bert_native {

// One call on its way through the scheduler. `done` is not called after Scheduler::cancel().
struct ForwardTask : ForwardCall {
  std::shared_ptr<const CpuEncoder> encoder;

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
