#include "cpu/relative_positions.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/memory.h"
#include "cpu/product.h"

namespace bert_native {

// --- DistanceRows ---

namespace {

// Falling rows that are worth a run of their own.
constexpr size_t kLeastFallingRows = 16;

}  // namespace

DistanceRows::DistanceRows(const std::vector<uint32_t>& row_of) : rows_(row_of.rbegin(), row_of.rend()) {
  find_pieces();
}

DistanceRows DistanceRows::one_for_each(const EncoderSpecification& specification) {
  DistanceRows made;
  for (const LayerSpecification& layer : specification.layers) {
    const AttentionPositionKind kind = layer.attention.position.kind;
    if (kind != AttentionPositionKind::kRelativeKey && kind != AttentionPositionKind::kRelativeKeyQuery) continue;
    made.rows_.resize(2 * specification.embeddings.max_position_embeddings - 1);
    std::iota(made.rows_.rbegin(), made.rows_.rend(), 0u);
    made.find_pieces();
    break;
  }
  return made;
}

void DistanceRows::find_pieces() {
  for (size_t begin = 0, end; begin < rows_.size(); begin = end) {
    for (end = begin + 1; end < rows_.size() && rows_[end] + 1 == rows_[end - 1];) ++end;
    const bool falling = end - begin >= kLeastFallingRows;
    if (falling || pieces_.empty() || pieces_.back().falling) {
      pieces_.push_back({end, falling});
    } else {
      pieces_.back().end = end;
    }
  }
}

const DistanceRows::Piece& DistanceRows::piece_at(size_t index) const {
  return *std::upper_bound(pieces_.begin(), pieces_.end(), index,
                           [](size_t at, const Piece& piece) { return at < piece.end; });
}

uint32_t DistanceRows::of(size_t l, size_t r) const {
  return rows_[static_cast<size_t>(std::clamp<ptrdiff_t>(index(l, r), 0, size() - 1))];
}

bool DistanceRows::fall_between(size_t l_first, size_t l_last, size_t r_first, size_t r_last) const {
  const ptrdiff_t first = index(l_last, r_first), last = index(l_first, r_last);
  if (first < 0 || last >= size()) return false;
  const Piece& piece = piece_at(static_cast<size_t>(first));
  return piece.falling && static_cast<size_t>(last) < piece.end;
}

DistanceRows::Range DistanceRows::between(size_t l_first, size_t l_last, size_t r_first, size_t r_last) const {
  const ptrdiff_t end = size() - 1;
  const ptrdiff_t first = std::clamp<ptrdiff_t>(index(l_last, r_first), 0, end);
  const ptrdiff_t last = std::clamp<ptrdiff_t>(index(l_first, r_last), 0, end);
  const auto [lowest, highest] = std::minmax_element(rows_.begin() + first, rows_.begin() + last + 1);
  return {*lowest, *highest};
}

// --- RelativeProjection ---

RelativeProjection::RelativeProjection(const RelativePositions& positions, const AttentionSpecification& attention,
                                       size_t hidden_size, std::string projection, bool has_bias,
                                       const KernelTable& kernels)
    : kernels_(&kernels),
      rows_(positions.rows),
      heads_(attention.num_attention_heads),
      head_size_(attention.head_size),
      hidden_size_(hidden_size),
      has_norm_(positions.norm.has_value()),
      norm_bias_(positions.norm && positions.norm->bias),
      norm_eps_(positions.norm ? positions.norm->eps : 0),
      projection_(std::move(projection)),
      has_bias_(has_bias) {}

// The relative positions, normed, as strips of rows; some rows are read at a time.
void RelativeProjection::read_strips(float* strips, const ParameterReader& reader, LoadScratch& scratch) const {
  const size_t H = hidden_size_, strip_rows = kernels_->gemm_rows;
  AlignedBuffer<float> gamma(H), beta(H);
  if (has_norm_) reader.read_rows("relative_positions.norm.weight", 0, H, gamma.data(), scratch.read);
  std::fill_n(beta.data(), H, 0.0f);
  if (norm_bias_) reader.read_rows("relative_positions.norm.bias", 0, H, beta.data(), scratch.read);
  const size_t rows_at_once = std::max<size_t>(1, kLoadChunkElements / (H * strip_rows)) * strip_rows;
  scratch.rows.reserve(rows_at_once * H);
  for (size_t begin = 0; begin < rows_; begin += rows_at_once) {
    const size_t count = std::min(rows_at_once, rows_ - begin);
    float* rows = scratch.rows.data();
    reader.read_rows("relative_positions.weight", begin, begin + count, rows, scratch.read);
    for (size_t row = 0; has_norm_ && row < count; ++row) {
      float* x = rows + row * H;
      kernels_->layer_norm_f32(x, x, gamma.data(), beta.data(), norm_eps_, H);
    }
    for (size_t strip = 0; strip < ceil_div(count, strip_rows); ++strip) {
      pack_strip(*kernels_, strips + begin * H, rows, H, count, H, strip);
    }
  }
}

void RelativeProjection::load_chunk(size_t, const ParameterReader& reader, LoadScratch& scratch) {
  const size_t H = hidden_size_, D = head_size_, cols = kernels_->gemm_cols, strip_rows = kernels_->gemm_rows;
  const size_t stride = ceil_div(D, cols) * cols;
  AlignedBuffer<float> strips(ceil_div(rows_, strip_rows) * strip_rows * H);
  read_strips(strips.data(), reader, scratch);
  AlignedBuffer<float> panel(cols * H), bias(stride), product(rows_ * stride);
  make_resident(reinterpret_cast<std::byte*>(panels_), size_in_bytes());
  scratch.rows.reserve(D * H);
  for (size_t head = 0; head < heads_; ++head) {
    reader.read_rows(projection_ + ".weight", head * D, (head + 1) * D, scratch.rows.data(), scratch.read);
    for (size_t column = 0; column < D; column += cols) {
      kernels_->gemm_pack_panel_f32(panel.data(), scratch.rows.data() + column * H, H, std::min(cols, D - column), H);
      for (size_t row = 0; row < rows_; row += strip_rows) {
        kernels_->gemm_tile_f32(product.data() + row * stride + column, stride, strips.data() + row * H, panel.data(),
                                std::min(strip_rows, rows_ - row), H, false);
      }
    }
    if (has_bias_) {
      reader.read_rows(projection_ + ".bias", head * D, (head + 1) * D, bias.data(), scratch.read);
      for (size_t row = 0; row < rows_; ++row) kernels_->add_bias_f32(product.data() + row * stride, bias.data(), D);
    }
    float* out = panels_ + head * head_elements();
    for (size_t row = 0; row < rows_; row += cols) {
      kernels_->gemm_pack_panel_f32(out + row * D, product.data() + row * stride, stride, std::min(cols, rows_ - row),
                                    D);
    }
  }
}

}  // namespace bert_native
