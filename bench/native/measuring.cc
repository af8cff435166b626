#include "measuring.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "common/errors.h"
#include "common/threads.h"

namespace bert_native {

namespace {

constexpr int kRepetitions = 8;
constexpr double kRepetitionSeconds = 0.05;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

const PeakLoops* peak_loops_of(Isa isa) {
  switch (isa) {
#ifdef MACHINE_PEAK_AVX2
    case Isa::kAvx2:
    case Isa::kAvxVnni:
      return &avx2::kPeakLoops;
#endif
#ifdef MACHINE_PEAK_AVX512
    case Isa::kAvx512:
    case Isa::kAvx512Vnni:
    case Isa::kAvx512Bf16:
    case Isa::kAmx:
      return &avx512::kPeakLoops;
#endif
#ifdef MACHINE_PEAK_NEON
    case Isa::kNeon:
    case Isa::kNeonDot:
    case Isa::kNeonBf16:
      return &neon::kPeakLoops;
#endif
    default:
      return nullptr;
  }
}

const MultiplyAddLoop* multiply_adds_of(Isa isa, MatrixType type) {
#ifdef MACHINE_PEAK_AMX
  if (isa == Isa::kAmx) {
    if (type == MatrixType::kBf16) return &amx::kBf16Loop;
    if (type == MatrixType::kBf16x2) return &amx::kBf16x2Loop;
    if (type == MatrixType::kBf16x3) return &amx::kBf16x3Loop;
    if (type == MatrixType::kInt8) return &amx::kInt8Loop;
  }
#endif
  if (type == MatrixType::kInt8) {
    switch (isa) {
#ifdef MACHINE_PEAK_AVX2
      case Isa::kAvx2:
        return &avx2::kInt8Loop;
#endif
#ifdef MACHINE_PEAK_AVX_VNNI
      case Isa::kAvxVnni:
        return &avx_vnni::kInt8Loop;
#endif
#ifdef MACHINE_PEAK_AVX512
      case Isa::kAvx512:
        return &avx512::kInt8Loop;
#endif
#ifdef MACHINE_PEAK_AVX512_VNNI
      case Isa::kAvx512Vnni:
      case Isa::kAvx512Bf16:
        return &avx512_vnni::kInt8Loop;
#endif
      default:
        return nullptr;
    }
  }
#ifdef MACHINE_PEAK_AVX512_BF16
  if (type == MatrixType::kBf16 && isa == Isa::kAvx512Bf16) return &avx512_bf16::kBf16Loop;
#endif
  const PeakLoops* loops = peak_loops_of(isa);
  return loops == nullptr ? nullptr : &loops->multiply_add;
}

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

double seconds_of(const std::function<void()>& task) {
  const Clock::time_point start = Clock::now();
  task();
  return seconds_since(start);
}

double giga_operations_per_s(const MultiplyAddLoop& loop, size_t threads) {
  const auto run = [&](size_t iterations) {
    return run_on_all(threads, [&](size_t) {
      alignas(64) float sink[16] = {1.0f, 1e-9f};
      loop.run(iterations, sink);
    });
  };
  // Doubled until it takes long enough for the clock and the start of the threads not to matter.
  size_t iterations = size_t{1} << 16;
  while (run(iterations) < kRepetitionSeconds) iterations *= 2;
  double best = 0;
  for (int i = 0; i < kRepetitions; ++i) {
    const double operations = static_cast<double>(iterations) * static_cast<double>(loop.operations_per_iteration);
    best = std::max(best, operations * static_cast<double>(threads) / run(iterations) * 1e-9);
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

int run_program(const char* name, void (*run)(int argc, char** argv), int argc, char** argv) {
  try {
    run(argc, argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 1;
  }
}

}  // namespace bert_native
