// Measures what bounds an encoder on this machine: fp32 multiply-adds on registers alone, and reading memory, on a
// number of threads at once. Prints one line of JSON. The best of several repetitions counts: other work only ever
// lowers it. Usage: machine_peak [threads, default all] [MB to read, default 1024]

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "common/aligned_buffer.h"
#include "common/errors.h"
#include "common/thread_pool.h"
#include "measuring.h"

namespace bert_native {
namespace {

constexpr int kRepetitions = 8;
// Floats that the widest vector holds: what a loop stores its result in.
constexpr size_t kSinkSize = 16;

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

void run(int argc, char** argv) {
  const size_t threads = argc > 1 ? positive_argument(argv[1]) : usable_thread_count();
  const size_t size_mb = argc > 2 ? positive_argument(argv[2]) : 1024;
  const PeakLoops* best_loops = nullptr;
  std::string best_isa;
  std::string rates;
  double best = 0;
  for (const Isa isa : available_isas()) {
    const PeakLoops* loops = peak_loops_of(isa);
    if (loops == nullptr) continue;
    const double rate = giga_operations_per_s(loops->multiply_add, threads);
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
