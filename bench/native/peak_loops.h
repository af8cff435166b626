#pragma once

#include <cstddef>

namespace bert_native {

// Independent multiply-adds on registers alone; `sink`, of 64 bytes, gets a value that depends on all of them.
struct MultiplyAddLoop {
  void (*run)(size_t iterations, void* sink);
  size_t operations_per_iteration;  // a multiply-add counts as two
};

// Loops that one instruction set runs as fast as the processor can.
struct PeakLoops {
  MultiplyAddLoop multiply_add;  // f32
  // Reads x[0, size) once, front to back; size is a multiple of read_step.
  void (*read)(const float* x, size_t size, float* sink);
  size_t read_step;
};

namespace avx2 {
extern const PeakLoops kPeakLoops;
extern const MultiplyAddLoop kInt8Loop;
}  // namespace avx2
namespace avx_vnni {
extern const MultiplyAddLoop kInt8Loop;
}
namespace avx512 {
extern const PeakLoops kPeakLoops;
extern const MultiplyAddLoop kInt8Loop;
}  // namespace avx512
namespace avx512_vnni {
extern const MultiplyAddLoop kInt8Loop;
}
namespace avx512_bf16 {
extern const MultiplyAddLoop kBf16Loop;
}
namespace amx {
// f32 in two or three parts of bf16: three or six multiply-adds count as one.
extern const MultiplyAddLoop kBf16Loop, kBf16x2Loop, kBf16x3Loop, kInt8Loop;
}  // namespace amx
namespace neon {
extern const PeakLoops kPeakLoops;
}

}  // namespace bert_native
