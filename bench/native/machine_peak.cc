// Measures what bounds an encoder on this machine: fp32 multiply-adds on registers alone, and reading memory, on a
// number of threads at once. Prints one line of JSON. The best of several repetitions counts: other work only ever
// lowers it. Usage: machine_peak [threads, default all] [MB to read, default 1024]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/aligned_buffer.h"
#include "common/cpu_features.h"
#include "common/errors.h"
#include "common/thread_pool.h"
#include "common/threads.h"
#include "peak_loops.h"

namespace bert_native {
namespace {

constexpr int kRepetitions = 8;
constexpr double kRepetitionSeconds = 0.05;
// Floats that the widest vector holds: what a loop stores its result in.
constexpr size_t kSinkSize = 16;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

const PeakLoops* loops_of(Isa isa) {
  switch (isa) {
#ifdef MACHINE_PEAK_AVX2
    case Isa::kAvx2:
      return &avx2::kPeakLoops;
#endif
#ifdef MACHINE_PEAK_AVX512
    case Isa::kAvx512:
      return &avx512::kPeakLoops;
#endif
#ifdef MACHINE_PEAK_NEON
    case Isa::kNeon:
      return &neon::kPeakLoops;
#endif
    default:
      return nullptr;
  }
}

// Runs task(thread) on all threads at once; the seconds from the moment when all are there to the end of the last.
double run_on_all(size_t threads, const std::function<void(size_t)>& task) {
  std::atomic<size_t> arrived{0};
  std::atomic<bool> go{false};
  std::vector<std::thread> running;
  for (size_t i = 0; i < threads; ++i) {
    running.push_back(start_thread([&, i] {
      ++arrived;
      while (!go) std::this_thread::yield();
      task(i);
    }));
  }
  while (arrived < threads) std::this_thread::yield();
  const Clock::time_point start = Clock::now();
  go = true;
  for (std::thread& thread : running) thread.join();
  return seconds_since(start);
}

double gflops(const PeakLoops& loops, size_t threads) {
  const auto run = [&](size_t iterations) {
    return run_on_all(threads, [&](size_t) {
      float sink[kSinkSize] = {1.0f, 1e-9f};
      loops.multiply_add(iterations, sink);
    });
  };
  // Doubled until it takes long enough for the clock and the start of the threads not to matter.
  size_t iterations = size_t{1} << 16;
  while (run(iterations) < kRepetitionSeconds) iterations *= 2;
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    const double flop = static_cast<double>(iterations) * static_cast<double>(loops.flop_per_iteration);
    best = std::max(best, flop * static_cast<double>(threads) / run(iterations) * 1e-9);
  }
  return best;
}

// Every thread reads a part of its own.
double read_gb_per_s(const PeakLoops& loops, size_t threads, size_t size_mb) {
  const size_t steps = (size_mb << 20) / sizeof(float) / threads / loops.read_step;
  const size_t part = std::max<size_t>(steps, 1) * loops.read_step;
  AlignedBuffer<float> buffer(part * threads);
  // Each thread touches its own part first, so that its pages are near it.
  run_on_all(threads, [&](size_t i) { std::fill_n(buffer.data() + i * part, part, 1.0f); });
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    const double seconds = run_on_all(threads, [&](size_t thread) {
      float sink[kSinkSize];
      loops.read(buffer.data() + thread * part, part, sink);
    });
    best = std::max(best, static_cast<double>(part * threads * sizeof(float)) / seconds * 1e-9);
  }
  return best;
}

size_t positive_argument(const char* text) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (*text == '-' || end == text || *end != '\0' || value == 0 || value > (1u << 20)) {
    throw Error(ErrorCode::kOption, std::string("expected a whole number from 1 up, got ") + text);
  }
  return value;
}

void run(int argc, char** argv) {
  const size_t threads = argc > 1 ? positive_argument(argv[1]) : usable_thread_count();
  const size_t size_mb = argc > 2 ? positive_argument(argv[2]) : 1024;
  const PeakLoops* best_loops = nullptr;
  std::string best_isa;
  std::string rates;
  double best = 0;
  for (const Isa isa : available_isas()) {
    const PeakLoops* loops = loops_of(isa);
    if (loops == nullptr) continue;
    const double rate = gflops(*loops, threads);
    rates += (rates.empty() ? "\"" : ", \"") + std::string(isa_name(isa)) + "\": " + std::to_string(rate);
    if (rate <= best) continue;
    best = rate;
    best_loops = loops;
    best_isa = isa_name(isa);
  }
  if (best_loops == nullptr) throw Error(ErrorCode::kDevice, "no instruction set of this processor has vector loops");
  std::printf(
      "{\"threads\": %zu, \"isa\": \"%s\", \"fp32_gflops\": %f, \"fp32_gflops_by_isa\": {%s}, \"read_gb_per_s\": %f}\n",
      threads, best_isa.c_str(), best, rates.c_str(), read_gb_per_s(*best_loops, threads, size_mb));
}

}  // namespace
}  // namespace bert_native

int main(int argc, char** argv) {
  try {
    bert_native::run(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "machine_peak: %s\n", error.what());
    return 1;
  }
}
