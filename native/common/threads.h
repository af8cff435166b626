#pragma once

#include <cstddef>
#include <functional>

#if defined(_WIN32)
#include <thread>
#else
#include <pthread.h>
#endif

namespace bert_native {

// A running thread that start_thread() made, or none. Like std::thread it has to be joined or detached before it is
// destroyed.
class Thread {
 public:
  Thread() = default;
  ~Thread();
  Thread(Thread&& other) noexcept;
  Thread& operator=(Thread&& other) noexcept;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  void join();
  void detach();

 private:
  friend Thread start_thread(std::function<void()> body);

#if defined(_WIN32)
  std::thread thread_;
#else
  pthread_t thread_{};
  bool is_joinable_ = false;
#endif
};

// What a thread has for its stack, at least: musl would give 128 KiB, macOS 512 KiB. (Windows: what the program says.)
constexpr size_t kThreadStackBytes = size_t{2} << 20;

// Starts a thread of the library's own, whatever the state of the one that calls. It never runs the process's signal
// handlers, and it computes in IEEE 754's default environment: rounding to nearest, subnormal numbers kept. `body` must
// not throw. Throws kMemory where the system gives no further thread.
Thread start_thread(std::function<void()> body);

}  // namespace bert_native
