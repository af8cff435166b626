#pragma once

#include <functional>

#include "common/thread_pool.h"

namespace bert_native {

// Work beside forward passes. Reports its failures itself: what it throws is lost.
using BackgroundJob = std::function<void(ThreadPool& pool)>;

// Runs jobs one after another, in order of arrival, on a thread that starts with the first and sleeps while there is
// none: for what should not wait behind forward passes, such as tokenizing. The pool is that thread alone. Throws
// kMemory where the system gives no thread.
void run_in_background(BackgroundJob job);

// Starts a thread for this one job, with a pool of one: for loading, which takes long and waits for the disk.
// Throws kMemory where the system gives no thread.
void run_on_own_thread(BackgroundJob job);

}  // namespace bert_native
