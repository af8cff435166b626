#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

#include "kernels/neon/vector.h"
#include "kernels/simd/gemm_int8.h"
#include "kernels/tables.h"

namespace bert_native::neon_dot {

namespace {

// sdot multiplies signed by signed.
struct Int8Dot {
  using Vector = neon::Vector;
  using Lanes = int32x4_t;
  static constexpr size_t kGemmRows = Vector::kGemmRows;
  static constexpr bool kBoundedPairs = false;
  static constexpr int32_t kSurplus = 128;

  // Four rows in a register: the instruction takes its four bytes from a lane.
  struct Column {
    int8x16_t rows[kGemmRows / 4];
  };
  template <int kLane>
  struct Row {
    int8x16_t rows;
  };

  static Column load_column(const uint8_t* a) {
    const int8_t* x = reinterpret_cast<const int8_t*>(a);
    return {{vld1q_s8(x), vld1q_s8(x + 16), vld1q_s8(x + 32)}};
  }
  template <size_t kRow>
  static Row<kRow % 4> row(const Column& column) {
    return {column.rows[kRow / 4]};
  }
  static Lanes zero() { return vdupq_n_s32(0); }
  static Lanes add(Lanes a, Lanes b) { return vaddq_s32(a, b); }
  static Lanes multiply(Lanes a, Lanes b) { return vmulq_s32(a, b); }
  static Lanes broadcast(int32_t x) { return vdupq_n_s32(x); }
  static Lanes load(const int32_t* x) { return vld1q_s32(x); }
  static int8x16_t load(const int8_t* x) { return vld1q_s8(x); }
  template <int kLane>
  static Lanes dot(Lanes sum, Row<kLane> a, int8x16_t w) {
    return vdotq_laneq_s32(sum, w, a.rows, kLane);
  }
  static Vector to_f32(Lanes x) { return {vcvtq_f32_s32(x)}; }
};
static_assert(Int8Dot::kGemmRows == 12);

}  // namespace

constexpr GemmKernels kInt8Gemm = Int8Gemm<Int8Dot>::kKernels;

}  // namespace bert_native::neon_dot
