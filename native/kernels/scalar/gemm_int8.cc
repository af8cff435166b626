#include "kernels/int8.h"
#include "kernels/scalar/kernels.h"

namespace bert_native::scalar {

namespace {

using Layout = Int8Layout<kGemmRows, kGemmCols>;
constexpr int kWeightLimit = 127;

void pack_strip(void* strip, const float* a, size_t lda, size_t rows, size_t depth) {
  uint8_t* data = Layout::strip_data(strip);
  const size_t padded = round_up(depth, 4);
  for (size_t r = 0; r < kGemmRows; ++r) {
    const float* row = a + r * lda;
    float largest = 0.0f;
    for (size_t k = 0; r < rows && k < depth; ++k) {
      const float magnitude = row[k] < 0.0f ? -row[k] : row[k];
      if (!(magnitude <= largest)) largest = magnitude;
      if (magnitude != magnitude) break;
    }
    const Int8Scale scale(largest, kActivationLimit);
    for (size_t k = 0; k < padded; ++k) {
      const int8_t q = r < rows && k < depth ? int8_of(row[k] * scale.inverse) : int8_t{0};
      data[(k / 4 * kGemmRows + r) * 4 + k % 4] = static_cast<uint8_t>(q + kActivationOffset);
    }
    Layout::scales(strip)[r] = scale.scale;
  }
}

void tile(float* c, size_t ldc, const void* strip, const void* panel, size_t rows, size_t depth, bool accumulate) {
  const uint8_t* a = Layout::strip_data(strip);
  const int8_t* w = Layout::panel_data(panel);
  for (size_t r = 0; r < rows; ++r) {
    int32_t sums[kGemmCols];
    for (size_t j = 0; j < kGemmCols; ++j) sums[j] = Layout::corrections(panel)[j];
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
                               Layout::pack_panel<kWeightLimit>,
                               tile,
                               Layout::unpack_column};

}  // namespace bert_native::scalar
