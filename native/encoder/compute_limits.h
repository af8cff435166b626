#pragma once

#include <cstddef>
#include <limits>
#include <mutex>
#include <optional>

namespace bert_native {

// What the engines of a process share: how many threads compute, and how many tokens may wait. Safe to use from any
// thread.
class ComputeLimits {
 public:
  static ComputeLimits& instance();

  // What set_thread_count() said, else BERT_NATIVE_THREADS, else usable_thread_count(). Throws kOption where the
  // variable is not a whole number from 1 to kMaxThreads.
  size_t thread_count();
  // Throws kOption outside 1 to kMaxThreads.
  void set_thread_count(size_t threads);

  size_t max_queued_tokens();
  void set_max_queued_tokens(size_t tokens);
  // Counts tokens that begin to wait. Throws kQueueFull where they would be more than max_queued_tokens() together with
  // those that wait already.
  void add_queued_tokens(size_t tokens);
  void remove_queued_tokens(size_t tokens);

  static constexpr size_t kMaxThreads = 1024;

 private:
  std::mutex mutex_;
  std::optional<size_t> threads_;
  size_t queued_tokens_ = 0, max_queued_tokens_ = std::numeric_limits<size_t>::max();
};

}  // namespace bert_native
