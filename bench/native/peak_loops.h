#pragma once

#include <cstddef>

namespace bert_native {

// Loops that one instruction set runs as fast as the processor can.
struct PeakLoops {
  // Independent fused multiply-adds on registers alone; `sink` gets a value that depends on all of them.
  void (*multiply_add)(size_t iterations, float* sink);
  size_t flop_per_iteration;
  // Reads x[0, size) once, front to back; size is a multiple of read_step.
  void (*read)(const float* x, size_t size, float* sink);
  size_t read_step;
};

namespace avx2 {
extern const PeakLoops kPeakLoops;
}
namespace avx512 {
extern const PeakLoops kPeakLoops;
}
namespace neon {
extern const PeakLoops kPeakLoops;
}

}  // namespace bert_native
