#include "common/compiler.h"
#include "kernels/kernel_table.h"
#include "kernels/tables.h"

namespace bert_native {

namespace {

// The table of `base` with other kernels for weights of some type.
struct Extension {
  KernelTable table;

  Extension(Isa isa, const KernelTable& base) : table(base) { table.isa = isa; }
  Extension& with(MatrixType type, const GemmKernels& kernels) {
    table.gemm[static_cast<size_t>(type)] = &kernels;
    return *this;
  }
};

}  // namespace

const KernelTable* kernel_table(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return &scalar::kTable;
#if BN_X86_64
    case Isa::kAvx2:
      return &avx2::kTable;
    case Isa::kAvxVnni: {
      static const Extension vnni = Extension(isa, avx2::kTable).with(MatrixType::kInt8, avx_vnni::kInt8Gemm);
      return &vnni.table;
    }
    case Isa::kAvx512:
      return &avx512::kTable;
    case Isa::kAvx512Vnni: {
      static const Extension vnni = Extension(isa, avx512::kTable).with(MatrixType::kInt8, avx512_vnni::kInt8Gemm);
      return &vnni.table;
    }
    case Isa::kAvx512Bf16: {
      static const Extension bf16 =
          Extension(isa, *kernel_table(Isa::kAvx512Vnni)).with(MatrixType::kBf16, avx512_bf16::kBf16Gemm);
      return &bf16.table;
    }
#if BERT_NATIVE_HAS_AMX
    case Isa::kAmx: {
      static const Extension amx = Extension(isa, *kernel_table(Isa::kAvx512Bf16))
                                       .with(MatrixType::kBf16, amx::kBf16Gemm)
                                       .with(MatrixType::kInt8, amx::kInt8Gemm)
                                       .with(MatrixType::kBf16x2, amx::kBf16x2Gemm)
                                       .with(MatrixType::kBf16x3, amx::kBf16x3Gemm);
      return &amx.table;
    }
#endif
#elif BN_ARM64
    case Isa::kNeon:
      return &neon::kTable;
#if BERT_NATIVE_HAS_NEON_DOT
    case Isa::kNeonDot: {
      static const Extension dot = Extension(isa, neon::kTable).with(MatrixType::kInt8, neon_dot::kInt8Gemm);
      return &dot.table;
    }
#if BERT_NATIVE_HAS_NEON_BF16
    case Isa::kNeonBf16: {
      static const Extension bf16 =
          Extension(isa, *kernel_table(Isa::kNeonDot)).with(MatrixType::kBf16, neon_bf16::kBf16Gemm);
      return &bf16.table;
    }
#endif
#endif
#endif
    default:
      return nullptr;
  }
}

const KernelTable& selected_kernels() { return *kernel_table(selected_isa()); }

}  // namespace bert_native
