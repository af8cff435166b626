#pragma once

#include <cstddef>
#include <functional>

#include "common/thread_pool.h"

namespace bert_native {

// Work beside forward passes. Reports its failures itself: what it throws is lost.
using BackgroundJob = std::function<void(ThreadPool& pool)>;

// Runs jobs one after another, in order of arrival, on a thread that starts with the first and sleeps while there is
// none: for what should not wait behind forward passes, such as tokenizing. The pool is that thread alone. Throws
// kMemory where the system gives no thread.
void run_in_background(BackgroundJob job);

// The same on another thread, with a pool of at most `threads`, which counts that thread and stays from job to job: for
// what keeps all threads busy for a while, such as searches.
void run_in_turn(size_t threads, BackgroundJob job);

// Calls work with threads that all such callers share, apart from those of forward passes, at most `threads` with the
// caller's own: for work that is soon done. Null while another caller has them, and where there are none beside the
// caller's.
void with_shared_threads(size_t threads, const std::function<void(ThreadPool* pool)>& work);

// Starts a thread for this one job, with a pool of at most `threads`, which counts that thread: for loading. All such
// jobs together have no more helpers than one of them may have, and a job goes on with fewer where the system gives no
// more. Throws kMemory where it does not even give the job's own thread.
void run_on_own_threads(size_t threads, BackgroundJob job);

}  // namespace bert_native
