#include "kernels/int8.h"
#include "kernels/scalar/kernels.h"

namespace bert_native::scalar {

namespace {

using Layout = Int8Layout<kGemmRows, kGemmCols>;

void pack_strip(void* strip, const float* a, size_t lda, size_t rows, size_t depth) {
  uint8_t* data = Layout::strip_data(strip);
  for (size_t r = 0; r < kGemmRows; ++r) {
    const float* row = a + r * lda;
    const ActivationScale scale = r < rows ? Layout::activation_scale(row, depth) : ActivationScale();
    for (size_t k = 0; k < round_up(depth, 4); ++k) {
      data[(k / 4 * kGemmRows + r) * 4 + k % 4] = r < rows && k < depth ? scale(row[k]) : uint8_t{0};
    }
    Layout::scales(strip)[r] = scale.scale;
    Layout::zero_points(strip)[r] = scale.zero_point;
  }
}

void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth, bool accumulate,
          Ahead /*ahead*/) {
  const uint8_t* a = Layout::strip_data(strip);
  const int8_t* w = Layout::panel_data(panel);
  for (size_t r = 0; r < rows; ++r) {
    int32_t sums[kGemmCols];
    for (size_t j = 0; j < kGemmCols; ++j) sums[j] = Layout::zero_points(strip)[r] * Layout::negative_sums(panel)[j];
    for (size_t k = 0; k < round_up(depth, 4); ++k) {
      const int32_t x = a[(k / 4 * kGemmRows + r) * 4 + k % 4];
      for (size_t j = 0; j < kGemmCols; ++j) sums[j] += x * w[(k / 4 * kGemmCols + j) * 4 + k % 4];
    }
    for (size_t j = 0; j < kGemmCols; ++j) {
      const float product = static_cast<float>(sums[j]) * Layout::scales(strip)[r] * Layout::scales(panel)[j];
      c[r * ldc + j] = accumulate ? c[r * ldc + j] + product : product;
    }
  }
}

}  // namespace

const GemmKernels kInt8Gemm = {kGemmRows,
                               kGemmCols,
                               Layout::strip_bytes,
                               Layout::panel_bytes,
                               pack_strip,
                               Layout::pack_panel<false>,
                               tile,
                               Layout::unpack_column};

}  // namespace bert_native::scalar
