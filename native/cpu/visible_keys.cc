#include "cpu/visible_keys.h"

#include <algorithm>

namespace bert_native {

VisibleKeys::VisibleKeys(const PlannedBlock& block, const PlannedSequence& sequence, const AttentionMask& mask)
    : block_(block), sequence_(sequence), mask_(mask), first_column_(column(0)) {
  contiguous_ = column(sequence.key_count - 1) - first_column_ + 1 == sequence.key_count;
}

// The first key at `column` or behind it.
size_t VisibleKeys::lower_bound(size_t column) const {
  const size_t count = sequence_.key_count;
  if (contiguous_) return std::min(count, column - std::min(column, first_column_));
  const auto begin = block_.rows.begin() + static_cast<ptrdiff_t>(sequence_.key_begin);
  const auto end = begin + static_cast<ptrdiff_t>(count);
  const auto found = std::partition_point(begin, end, [&](const PlannedRow& row) { return row.position < column; });
  return static_cast<size_t>(found - begin);
}

KeyRange VisibleKeys::from(size_t column) const {
  if (sequence_.uniform_attention) return {};
  const size_t reach = mask_.window / 2;
  switch (mask_.kind) {
    case AttentionMaskKind::kFull:
      break;
    case AttentionMaskKind::kWindow:
      return {lower_bound(column - std::min(column, reach)), lower_bound(column + reach + 1)};
    case AttentionMaskKind::kCausal:
      return {0, lower_bound(column + 1)};
  }
  return {0, sequence_.key_count};
}

}  // namespace bert_native
