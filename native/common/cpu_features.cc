#include "common/cpu_features.h"

#include <cstdlib>
#include <string>

#include "common/compiler.h"
#include "common/errors.h"

#if BN_X86_64
#if defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif
#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace bert_native {

namespace {

#if BN_X86_64

struct CpuidRegisters {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuidRegisters cpuid(unsigned leaf, unsigned subleaf) {
  CpuidRegisters r;
#if defined(_MSC_VER)
  int values[4];
  __cpuidex(values, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<unsigned>(values[0]), static_cast<unsigned>(values[1]), static_cast<unsigned>(values[2]),
       static_cast<unsigned>(values[3])};
#else
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
#endif
  return r;
}

// XCR0: which register states the operating system saves. Only to be asked where cpuid reports OSXSAVE.
unsigned long long saved_register_states() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
#endif
}

bool bit(unsigned value, int index) { return (value >> index) & 1u; }

// Asks Linux to let this process use the tile registers. It refuses where it is too old to know them, where a filter of
// system calls forbids the question, or where a thread's stack for signals is too small for their state. What it
// permits holds for the process, so for every thread, whenever it started. (Linux, Documentation/arch/x86/xstate.rst)
#if BERT_NATIVE_HAS_AMX
bool may_use_tiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XSTATE component 18
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#else
bool may_use_tiles() { return false; }
#endif

// Bit numbers: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2A, CPUID.
void append_x86_isas(std::vector<Isa>& isas) {
  const CpuidRegisters leaf1 = cpuid(1, 0);
  if (!bit(leaf1.ecx, 27)) return;  // OSXSAVE
  const unsigned long long states = saved_register_states();
  const CpuidRegisters leaf7 = cpuid(7, 0);
  const bool ymm_saved = (states & 0x6) == 0x6;
  const bool fma = bit(leaf1.ecx, 12), avx = bit(leaf1.ecx, 28), f16c = bit(leaf1.ecx, 29);
  const bool avx2 = bit(leaf7.ebx, 5);
  if (!(ymm_saved && avx && fma && f16c && avx2)) return;
  isas.push_back(Isa::kAvx2);
  const CpuidRegisters leaf7_1 = leaf7.eax >= 1 ? cpuid(7, 1) : CpuidRegisters{};
  if (bit(leaf7_1.eax, 4)) isas.push_back(Isa::kAvxVnni);
  const bool zmm_saved = (states & 0xe6) == 0xe6;
  const bool f = bit(leaf7.ebx, 16), dq = bit(leaf7.ebx, 17), bw = bit(leaf7.ebx, 30), vl = bit(leaf7.ebx, 31);
  if (!(zmm_saved && f && dq && bw && vl)) return;
  isas.push_back(Isa::kAvx512);
  if (!bit(leaf7.ecx, 11)) return;
  isas.push_back(Isa::kAvx512Vnni);
  if (!bit(leaf7_1.eax, 5)) return;
  isas.push_back(Isa::kAvx512Bf16);
  const bool tiles_saved = (states & 0x60000) == 0x60000;
  const bool tiles = bit(leaf7.edx, 24), tiles_bf16 = bit(leaf7.edx, 22), tiles_int8 = bit(leaf7.edx, 25);
  if (tiles_saved && tiles && tiles_bf16 && tiles_int8 && may_use_tiles()) isas.push_back(Isa::kAmx);
}

#elif BN_ARM64

struct NeonExtensions {
  bool dot, bf16;
};

#if defined(__linux__)
// Bit numbers: Linux, arch/arm64/include/uapi/asm/hwcap.h; older headers lack them.
NeonExtensions neon_extensions() {
  constexpr unsigned long kAsimdDp = 1ul << 20, kBf16 = 1ul << 14;
  return {.dot = (getauxval(AT_HWCAP) & kAsimdDp) != 0, .bf16 = (getauxval(AT_HWCAP2) & kBf16) != 0};
}
#elif defined(__APPLE__)
bool has_feature(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}
NeonExtensions neon_extensions() {
  return {.dot = has_feature("hw.optional.arm.FEAT_DotProd"), .bf16 = has_feature("hw.optional.arm.FEAT_BF16")};
}
#else
NeonExtensions neon_extensions() { return {.dot = false, .bf16 = false}; }
#endif

void append_arm_isas(std::vector<Isa>& isas) {
  isas.push_back(Isa::kNeon);  // part of every AArch64 processor that runs an operating system Node supports
  const NeonExtensions extensions = neon_extensions();
  if (!extensions.dot) return;
#if BERT_NATIVE_HAS_NEON_DOT
  isas.push_back(Isa::kNeonDot);
#if BERT_NATIVE_HAS_NEON_BF16
  if (extensions.bf16) isas.push_back(Isa::kNeonBf16);
#endif
#endif
}

#endif

std::vector<Isa> detect() {
  std::vector<Isa> isas{Isa::kScalar};
#if BN_X86_64
  append_x86_isas(isas);
#elif BN_ARM64
  append_arm_isas(isas);
#endif
  return isas;
}

template <typename Isas>
std::string list_names(const Isas& isas) {
  std::string names;
  for (const Isa isa : isas) names += (names.empty() ? "" : ", ") + std::string(isa_name(isa));
  return names;
}

Isa select() {
  const std::vector<Isa>& available = available_isas();
  const char* forced = std::getenv("BERT_NATIVE_ISA");
  if (forced == nullptr || *forced == '\0') return available.back();
  for (const Isa isa : available) {
    if (std::string(forced) == isa_name(isa)) return isa;
  }
  for (const Isa isa : kAllIsas) {
    if (std::string(forced) == isa_name(isa)) {
      throw Error(ErrorCode::kDevice, "BERT_NATIVE_ISA asks for " + std::string(forced) +
                                          ", which this processor lacks; it has " + list_names(available));
    }
  }
  throw Error(ErrorCode::kOption, "BERT_NATIVE_ISA is '" + std::string(forced) + "': expected one of " +
                                      list_names(kAllIsas) + "; this processor has " + list_names(available));
}

}  // namespace

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kNeon:
      return "neon";
    case Isa::kNeonDot:
      return "neon_dot";
    case Isa::kNeonBf16:
      return "neon_bf16";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvxVnni:
      return "avx_vnni";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Vnni:
      return "avx512_vnni";
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
    case Isa::kAmx:
      return "amx";
  }
  return "unknown";
}

const std::vector<Isa>& available_isas() {
  static const std::vector<Isa> isas = detect();
  return isas;
}

Isa selected_isa() {
  static const Isa isa = select();
  return isa;
}

}  // namespace bert_native
