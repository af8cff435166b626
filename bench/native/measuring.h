#pragma once

#include <cstddef>
#include <functional>

#include "common/cpu_features.h"
#include "kernels/gemm_kernels.h"
#include "peak_loops.h"

namespace bert_native {

// The loops of f32 of one instruction set; null where there are none.
const PeakLoops* peak_loops_of(Isa isa);

// The fastest multiply-adds that an instruction set's kernels for a type of weights may use, those of f32 where it has
// no others; null where this program has none.
const MultiplyAddLoop* multiply_adds_of(Isa isa, MatrixType type);

// Runs task(thread) on all threads at once; the seconds from the moment when all are there to the end of the last.
double run_on_all(size_t threads, const std::function<void(size_t)>& task);

// The seconds that `task` takes.
double seconds_of(const std::function<void()>& task);

// Operations a second, in units of 10⁹, on `threads` threads at once. The best of several repetitions: other work only
// ever lowers it.
double giga_operations_per_s(const MultiplyAddLoop& loop, size_t threads);

// A whole number of [1, 2²⁰]. Throws kOption.
size_t positive_argument(const char* text);

// What main() returns: runs it, and says on standard error why where it throws.
int run_program(const char* name, void (*run)(int argc, char** argv), int argc, char** argv);

}  // namespace bert_native
