#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/neon/vector.h"
#include "kernels/simd/gemm_bf16.h"
#include "kernels/tables.h"

namespace bert_native::neon_bf16 {

namespace {

struct Bf16Dot {
  using Vector = neon::Vector;
  using Pairs = bfloat16x8_t;
  static constexpr size_t kGemmRows = Vector::kGemmRows;

  // Four rows in a register: the instruction takes its pair from a lane.
  struct Column {
    Pairs rows[kGemmRows / 4];
  };
  template <int kLane>
  struct Row {
    Pairs rows;
  };

  static Pairs load(const Bf16* x) { return vreinterpretq_bf16_u16(vld1q_u16(&x->bits)); }
  static Column load_column(const Bf16* a) { return {{load(a), load(a + 8), load(a + 16)}}; }
  template <size_t kRow>
  static Row<kRow % 4> row(const Column& column) {
    return {column.rows[kRow / 4]};
  }
  template <int kLane>
  static Vector dot(Vector sum, Row<kLane> a, Pairs w) {
    return {vbfdotq_laneq_f32(sum.lanes, w, a.rows, kLane)};
  }

  static void round(void* out, const float* x, size_t n) {
    uint16_t* to = static_cast<uint16_t*>(out);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
      vst1_u16(to + i, vreinterpret_u16_bf16(vget_low_bf16(vcvtq_low_bf16_f32(vld1q_f32(x + i)))));
    }
    const auto put = [to](size_t at, uint16_t bits) { std::memcpy(to + at, &bits, sizeof bits); };
    for (; i < n; ++i) put(i, bf16_bits(x[i]));
    if (n % 2 == 1) put(n, 0);
  }
};
static_assert(Bf16Dot::kGemmRows == 12);

}  // namespace

constexpr GemmKernels kBf16Gemm = Bf16Gemm<Bf16Dot>::kKernels;

}  // namespace bert_native::neon_bf16
