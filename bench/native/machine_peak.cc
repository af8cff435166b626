// Measures what bounds an encoder on this machine: multiply-adds on registers alone, and reading memory, on a number of
// threads at once. Prints one line of JSON. The best of several repetitions counts: other work only ever
// lowers it. Usage: machine_peak [threads, default all] [MB to read, default 1024]

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <utility>

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

// The f32 multiply-adds of every instruction set that has some of its own.
std::map<std::string, double> f32_rates(size_t threads) {
  std::map<std::string, double> rates;
  std::set<const PeakLoops*> measured;
  for (const Isa isa : available_isas()) {
    const PeakLoops* loops = peak_loops_of(isa);
    if (loops == nullptr || !measured.insert(loops).second) continue;
    rates[isa_name(isa)] = giga_operations_per_s(loops->multiply_add, threads);
  }
  return rates;
}

// The fastest multiply-adds for each kind of weights on the best instruction set.
std::map<std::string, double> rates_of_dtypes(size_t threads) {
  std::map<std::string, double> rates;
  for (const auto& [dtype, type] : {std::pair("bf16", MatrixType::kBf16), std::pair("q8", MatrixType::kInt8)}) {
    const MultiplyAddLoop* loop = multiply_adds_of(available_isas().back(), type);
    if (loop != nullptr) rates[dtype] = giga_operations_per_s(*loop, threads);
  }
  return rates;
}

std::string to_json(const std::map<std::string, double>& rates) {
  std::string text;
  for (const auto& [name, rate] : rates) {
    text += (text.empty() ? "\"" : ", \"") + name + "\": " + std::to_string(rate);
  }
  return "{" + text + "}";
}

void run(int argc, char** argv) {
  const size_t threads = argc > 1 ? positive_argument(argv[1]) : usable_thread_count();
  const size_t size_mb = argc > 2 ? positive_argument(argv[2]) : 1024;
  const PeakLoops* loops = peak_loops_of(available_isas().back());
  if (loops == nullptr) throw Error(ErrorCode::kDevice, "no instruction set of this processor has vector loops");
  const std::map<std::string, double> rates = f32_rates(threads);
  const auto best =
      std::max_element(rates.begin(), rates.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  std::printf(
      "{\"threads\": %zu, \"isa\": \"%s\", \"fp32_gflops\": %f, \"fp32_gflops_by_isa\": %s, "
      "\"gops_by_dtype\": %s, \"read_gb_per_s\": %f}\n",
      threads, best->first.c_str(), best->second, to_json(rates).c_str(), to_json(rates_of_dtypes(threads)).c_str(),
      read_gb_per_s(*loops, threads, size_mb));
}

}  // namespace
}  // namespace bert_native

int main(int argc, char** argv) { return bert_native::run_program("machine_peak", bert_native::run, argc, argv); }
