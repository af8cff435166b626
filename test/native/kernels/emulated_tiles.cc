#include "kernels/emulated_tiles.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "harness.h"
#include "kernels/amx/gemm_bf16.h"
#include "kernels/amx/gemm_int8.h"
#include "kernels/support.h"

namespace bert_native::test {

namespace {

// One tile register in its full size.
union Tile {
  uint8_t u8[16][64];
  int8_t s8[16][64];
  uint16_t bf16[16][32];
  int32_t s32[16][16];
  float f32[16][16];
};

// Most of the time of tests that run on emulated tiles goes into their sums: these are made four at a time, which every
// processor can, also in builds that are hardly optimized.
using Lanes = float __attribute__((vector_size(16)));
using Bits = int32_t __attribute__((vector_size(16)));
constexpr size_t kLanes = 4;
constexpr int32_t kLeastNormal = 0x00800000, kInfinity = 0x7f800000, kSign = INT32_MIN;

Lanes load_lanes(const float* x) {
  Lanes lanes;
  std::memcpy(&lanes, x, sizeof lanes);
  return lanes;
}
void store_lanes(float* x, Lanes lanes) { std::memcpy(x, &lanes, sizeof lanes); }

Bits magnitude(Lanes x) { return std::bit_cast<Bits>(x) & ~kSign; }

// Subnormal numbers are zero to the unit, as operands and as results.
Lanes flushed(Lanes x) {
  const auto bits = std::bit_cast<Bits>(x);
  return std::bit_cast<Lanes>(magnitude(x) < kLeastNormal ? bits & kSign : bits);
}
float flushed(float x) { return flushed(Lanes{x})[0]; }

// x y + sum, rounded once: two factors of eight bits have an exact product unless it is subnormal or too large.
Lanes multiply_add(float x, Lanes y, Lanes sum) {
  const Lanes factor{x, x, x, x}, product = factor * y;
  const Bits is_tiny = (magnitude(product) < kLeastNormal) & (factor != 0) & (y != 0);
  const Bits is_inexact = is_tiny | (magnitude(product) >= kInfinity);
  Lanes result = sum + product;
  if ((is_inexact[0] | is_inexact[1] | is_inexact[2] | is_inexact[3]) != 0) {
    for (size_t i = 0; i < kLanes; ++i) {
      if (is_inexact[i] != 0) result[i] = std::fma(x, y[i], sum[i]);
    }
  }
  return flushed(result);
}

// The even and the odd elements of each row apart.
struct Operands {
  float even[16][16], odd[16][16];

  explicit Operands(const Tile& tile) {
    for (size_t i = 0; i < 16; ++i) {
      for (size_t j = 0; j < 16; j += kLanes) {
        // The former of two bf16 lies in the lower half of their 32 bits.
        const auto pairs = std::bit_cast<Bits>(load_lanes(&tile.f32[i][j]));
        store_lanes(&even[i][j], flushed(std::bit_cast<Lanes>(pairs << 16)));
        store_lanes(&odd[i][j], flushed(std::bit_cast<Lanes>(pairs & ~0xffff)));
      }
    }
  }
};

// What Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, says of TDPBF16PS and TDPBUSD.
class EmulatedTiles {
 public:
  static void configure() {
    BN_CHECK(!configured_, "the tiles were configured twice");
    configured_ = true;
    for (Tile* tile : {&sums_[0][0], &sums_[0][1], &sums_[1][0], &sums_[1][1]}) std::memset(tile, 0, sizeof *tile);
  }
  static void release() {
    BN_CHECK(configured_, "the tiles were released before they were configured");
    configured_ = false;
  }

  template <size_t kRow, size_t kCol>
  static void zero_sum() {
    check();
    std::memset(&sums_[kRow][kCol], 0, sizeof(Tile));
  }
  template <size_t kRow, size_t kCol>
  static void store_sum(void* x, size_t stride) {
    check();
    for (size_t i = 0; i < 16; ++i) std::memcpy(static_cast<char*>(x) + i * stride, sums_[kRow][kCol].u8[i], 64);
  }
  template <size_t kRow>
  static void load_left(const void* x) {
    load(left_[kRow], x);
  }
  template <size_t kCol>
  static void load_right(const void* x) {
    load(right_[kCol], x);
  }

  // The even and the odd elements are summed apart, in the order of the depth; then both, and only then what was there.
  template <size_t kRow, size_t kCol>
  static void add_bf16_products() {
    check();
    const Operands left(left_[kRow]), right(right_[kCol]);
    for (size_t m = 0; m < 16; ++m) {
      for (size_t n = 0; n < 16; n += kLanes) {
        Lanes even{}, odd{};
        for (size_t k = 0; k < 16; ++k) {
          even = multiply_add(left.even[m][k], load_lanes(&right.even[k][n]), even);
          odd = multiply_add(left.odd[m][k], load_lanes(&right.odd[k][n]), odd);
        }
        float* const sum = &sums_[kRow][kCol].f32[m][n];
        store_lanes(sum, flushed(flushed(load_lanes(sum)) + flushed(even + odd)));
      }
    }
  }

  template <size_t kRow, size_t kCol>
  static void add_int8_products() {
    check();
    for (size_t m = 0; m < 16; ++m) {
      for (size_t n = 0; n < 16; ++n) {
        int32_t& sum = sums_[kRow][kCol].s32[m][n];
        for (size_t k = 0; k < 16; ++k) {
          for (size_t i = 0; i < 4; ++i) sum += left_[kRow].u8[m][4 * k + i] * right_[kCol].s8[k][4 * n + i];
        }
      }
    }
  }

  static void round(Bf16* out, const float* x, size_t n) {
    for (size_t i = 0; i < n; ++i) out[i].bits = bf16_bits(flushed(x[i]));
  }

 private:
  static void check() { BN_CHECK(configured_, "the tiles were used without being configured"); }
  static void load(Tile& tile, const void* x) {
    check();
    std::memcpy(&tile, x, sizeof tile);
  }

  static inline thread_local Tile sums_[2][2], left_[2], right_[2];
  static inline thread_local bool configured_ = false;
};

constexpr GemmKernels kBf16Gemm = amx_gemm<EmulatedTiles, AmxBf16Gemm<EmulatedTiles, 1>>();
constexpr GemmKernels kBf16x2Gemm = amx_gemm<EmulatedTiles, AmxBf16Gemm<EmulatedTiles, 2>>();
constexpr GemmKernels kBf16x3Gemm = amx_gemm<EmulatedTiles, AmxBf16Gemm<EmulatedTiles, 3>>();
constexpr GemmKernels kInt8Gemm = amx_gemm<EmulatedTiles, AmxInt8Gemm<EmulatedTiles>>();

KernelTable make_table() {
  KernelTable table = scalar_kernels();
  table.isa = Isa::kAmx;
  table.gemm[static_cast<size_t>(MatrixType::kBf16)] = &kBf16Gemm;
  table.gemm[static_cast<size_t>(MatrixType::kBf16x2)] = &kBf16x2Gemm;
  table.gemm[static_cast<size_t>(MatrixType::kBf16x3)] = &kBf16x3Gemm;
  table.gemm[static_cast<size_t>(MatrixType::kInt8)] = &kInt8Gemm;
  return table;
}

}  // namespace

const KernelTable& emulated_amx_kernels() {
  static const KernelTable table = make_table();
  return table;
}

}  // namespace bert_native::test
