#pragma once

#include <vector>

namespace bert_native {

// Instruction sets that have kernels of their own, from least to most preferred on their architecture.
enum class Isa { kScalar, kNeon, kNeonDot, kNeonBf16, kAvx2, kAvxVnni, kAvx512, kAvx512Vnni, kAvx512Bf16, kAmx };
inline constexpr Isa kAllIsas[] = {Isa::kScalar,  Isa::kNeon,   Isa::kNeonDot,    Isa::kNeonBf16,   Isa::kAvx2,
                                   Isa::kAvxVnni, Isa::kAvx512, Isa::kAvx512Vnni, Isa::kAvx512Bf16, Isa::kAmx};

// "scalar", "neon", "neon_dot", "neon_bf16", "avx2", "avx_vnni", "avx512", "avx512_vnni", "avx512_bf16", "amx": the
// names BERT_NATIVE_ISA takes.
const char* isa_name(Isa isa);

// What this processor and its operating system can run and this build has kernels for, least preferred first; always
// holds kScalar. The first call asks the system to let the process use AMX; what it answers holds for all threads.
//   kNeonDot: NEON with dot products of integers.   kNeonBf16: and of bf16.
//   kAvx2: AVX2, FMA and F16C.   kAvxVnni: and AVX-VNNI.
//   kAvx512: F, BW, DQ and VL on top of kAvx2.   kAvx512Vnni, kAvx512Bf16: and VNNI; and BF16 too.   kAmx: and its
//   tiles, of BF16 and INT8.
const std::vector<Isa>& available_isas();

// The best of available_isas(), or the one that BERT_NATIVE_ISA names. Read once per process.
// Throws kOption for a name that does not exist, kDevice for one that this processor lacks.
Isa selected_isa();

}  // namespace bert_native
