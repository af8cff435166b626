#pragma once

#include <chrono>
#include <thread>

#include "harness.h"

namespace bert_native::test {

// What takes longer than this does not come at all: what waits so long is broken, not slow.
inline std::chrono::steady_clock::time_point in_a_minute() {
  return std::chrono::steady_clock::now() + std::chrono::minutes(1);
}

// Waits until the condition holds; fails when it still does not after a minute.
template <typename Condition>
void await(const Condition& condition, const char* what) {
  const auto deadline = in_a_minute();
  while (!condition()) {
    BN_CHECK(std::chrono::steady_clock::now() < deadline, what);
    std::this_thread::yield();
  }
}

}  // namespace bert_native::test
