#include "cpu/rotary.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bert_native {

namespace {

constexpr size_t kChunkPositions = 64;
constexpr size_t kMostKeptElements = size_t{1} << 21;

}  // namespace

RotaryTable::RotaryTable(const AttentionPosition& position, size_t longest_sequence, const KernelTable& kernels)
    : kernels_(kernels),
      inverse_frequencies_(position.inverse_frequencies),
      neighbours_(position.neighbours),
      columns_(inverse_frequencies_.size() * (neighbours_ ? 2 : 1)),
      kept_positions_(std::min(longest_sequence, kMostKeptElements / std::max<size_t>(1, row_size()))) {
  const size_t chunks = (kept_positions_ + kChunkPositions - 1) / kChunkPositions;
  chunks_ = std::make_unique<std::atomic<const float*>[]>(chunks);
  memory_.reserve(chunks);
}

bool RotaryTable::serves(const AttentionPosition& position) const {
  return position.kind == AttentionPositionKind::kRotary && position.neighbours == neighbours_ &&
         position.inverse_frequencies == inverse_frequencies_;
}

size_t RotaryTable::size_in_bytes() const {
  const std::lock_guard lock(mutex_);
  size_t size = 0;
  for (const auto& buffer : memory_) size += buffer.size_in_bytes();
  return size;
}

// row: the cosines, and behind them the sines, as the kernels want them.
void RotaryTable::compute_row(float* row, size_t position) const {
  float *cosines = row, *sines = row + columns_;
  for (size_t i = 0; i < inverse_frequencies_.size(); ++i) {
    const double angle = static_cast<double>(position) * static_cast<double>(inverse_frequencies_[i]);
    const float cosine = static_cast<float>(std::cos(angle)), sine = static_cast<float>(std::sin(angle));
    if (neighbours_) {
      cosines[2 * i] = cosines[2 * i + 1] = cosine;
      sines[2 * i] = -sine;
      sines[2 * i + 1] = sine;
    } else {
      cosines[i] = cosine;
      sines[i] = sine;
    }
  }
}

const float* RotaryTable::kept_row(size_t position) const {
  const size_t chunk = position / kChunkPositions, first = chunk * kChunkPositions;
  const float* rows = chunks_[chunk].load(std::memory_order_acquire);
  if (rows == nullptr) {
    const std::lock_guard lock(mutex_);
    rows = chunks_[chunk].load(std::memory_order_relaxed);
    if (rows == nullptr) {
      const size_t count = std::min(kChunkPositions, kept_positions_ - first);
      AlignedBuffer<float> made(count * row_size());
      for (size_t i = 0; i < count; ++i) compute_row(made.data() + i * row_size(), first + i);
      rows = made.data();
      memory_.push_back(std::move(made));
      chunks_[chunk].store(rows, std::memory_order_release);
    }
  }
  return rows + (position - first) * row_size();
}

void RotaryTable::turn(float* heads, size_t count, size_t head_size, size_t position) const {
  if (inverse_frequencies_.empty()) return;
  AlignedBuffer<float> computed;
  const float* row;
  if (position < kept_positions_) {
    row = kept_row(position);
  } else {
    computed.reserve(row_size());
    compute_row(computed.data(), position);
    row = computed.data();
  }
  const auto rotate = neighbours_ ? kernels_.rotate_neighbours_f32 : kernels_.rotate_halves_f32;
  for (size_t head = 0; head < count; ++head) rotate(heads + head * head_size, row, row + columns_, columns_);
}

RotaryTables::RotaryTables(const EncoderSpecification& specification, const KernelTable& kernels) {
  for (const LayerSpecification& layer : specification.layers) {
    const AttentionPosition& position = layer.attention.position;
    if (position.kind != AttentionPositionKind::kRotary) {
      of_layer_.push_back(nullptr);
      continue;
    }
    const auto known =
        std::find_if(tables_.begin(), tables_.end(), [&](const auto& table) { return table->serves(position); });
    if (known == tables_.end()) {
      tables_.push_back(std::make_unique<RotaryTable>(position, specification.longest_sequence(), kernels));
      of_layer_.push_back(tables_.back().get());
    } else {
      of_layer_.push_back(known->get());
    }
  }
}

size_t RotaryTables::size_in_bytes() const {
  size_t size = 0;
  for (const auto& table : tables_) size += table->size_in_bytes();
  return size;
}

}  // namespace bert_native
