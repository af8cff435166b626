#pragma once

#include <functional>
#include <thread>

namespace bert_native {

// Starts a thread of the library's own, whatever the state of the one that calls. It never runs the process's signal
// handlers, and it computes in IEEE 754's default environment: rounding to nearest, subnormal numbers kept. `body` must
// not throw. Throws kMemory where the system gives no further thread.
std::thread start_thread(std::function<void()> body);

}  // namespace bert_native
