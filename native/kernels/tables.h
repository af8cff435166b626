#pragma once

#include "kernels/kernel_table.h"

// What dispatch.cc makes the tables of a processor from. A build holds what its own architecture can run. Folders named
// after an extension of an instruction set hold only the kernels that the extension makes faster.

namespace bert_native::scalar {
extern const KernelTable kTable;
}

namespace bert_native::avx2 {
extern const KernelTable kTable;
}

namespace bert_native::avx_vnni {
extern const GemmKernels kInt8Gemm;
}

namespace bert_native::avx512 {
extern const KernelTable kTable;
}

namespace bert_native::avx512_vnni {
extern const GemmKernels kInt8Gemm;
}

namespace bert_native::avx512_bf16 {
extern const GemmKernels kBf16Gemm;
}

namespace bert_native::amx {
extern const GemmKernels kBf16Gemm, kBf16x2Gemm, kBf16x3Gemm, kInt8Gemm;
}

namespace bert_native::neon {
extern const KernelTable kTable;
}

namespace bert_native::neon_dot {
extern const GemmKernels kInt8Gemm;
}

namespace bert_native::neon_bf16 {
extern const GemmKernels kBf16Gemm;
}
