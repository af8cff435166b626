#include "encoder/compute_limits.h"

#include <cstdlib>
#include <string>

#include "common/errors.h"
#include "common/thread_pool.h"

namespace bert_native {

namespace {

std::string range_text() { return "expected a whole number from 1 to " + std::to_string(ComputeLimits::kMaxThreads); }

size_t default_thread_count() {
  const char* text = std::getenv("BERT_NATIVE_THREADS");
  if (text == nullptr || *text == '\0') return usable_thread_count();
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (*end != '\0' || *text == '-' || value < 1 || value > ComputeLimits::kMaxThreads) {
    throw Error(ErrorCode::kOption, "BERT_NATIVE_THREADS is '" + std::string(text) + "': " + range_text());
  }
  return value;
}

}  // namespace

ComputeLimits& ComputeLimits::instance() {
  // Lives until the process ends, as the threads do that ask it.
  static ComputeLimits* const limits = new ComputeLimits();
  return *limits;
}

size_t ComputeLimits::thread_count() {
  const std::lock_guard lock(mutex_);
  if (!threads_) threads_ = default_thread_count();
  return *threads_;
}

void ComputeLimits::set_thread_count(size_t threads) {
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(ErrorCode::kOption, "the number of threads is " + std::to_string(threads) + ": " + range_text());
  }
  const std::lock_guard lock(mutex_);
  threads_ = threads;
}

size_t ComputeLimits::max_queued_tokens() {
  const std::lock_guard lock(mutex_);
  return max_queued_tokens_;
}

void ComputeLimits::set_max_queued_tokens(size_t tokens) {
  const std::lock_guard lock(mutex_);
  max_queued_tokens_ = tokens;
}

void ComputeLimits::add_queued_tokens(size_t tokens) {
  const std::lock_guard lock(mutex_);
  if (tokens > max_queued_tokens_ || queued_tokens_ > max_queued_tokens_ - tokens) {
    throw Error(ErrorCode::kQueueFull, "the call brings " + std::to_string(tokens) + " tokens and " +
                                           std::to_string(queued_tokens_) + " wait already: expected at most " +
                                           std::to_string(max_queued_tokens_) +
                                           " together, which is env.maxQueuedTokens");
  }
  queued_tokens_ += tokens;
}

void ComputeLimits::remove_queued_tokens(size_t tokens) {
  const std::lock_guard lock(mutex_);
  queued_tokens_ -= tokens;
}

}  // namespace bert_native
