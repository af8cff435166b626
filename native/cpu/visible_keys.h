#pragma once

#include <cstddef>

#include "encoder/plan.h"
#include "encoder/specification.h"

namespace bert_native {

// Indices [begin, end) of a sequence's keys.
struct KeyRange {
  size_t begin = 0, end = 0;

  bool empty() const { return begin >= end; }
  size_t size() const { return empty() ? 0 : end - begin; }
  KeyRange within(KeyRange other) const {
    return {begin > other.begin ? begin : other.begin, end < other.end ? end : other.end};
  }
  bool contains(KeyRange other) const { return begin <= other.begin && other.end <= end; }
};

// Which keys of a sequence its queries see under a mask.
class VisibleKeys {
 public:
  VisibleKeys(const PlannedBlock& block, const PlannedSequence& sequence, const AttentionMask& mask);

  // The column of a key.
  size_t column(size_t key) const { return block_.rows[sequence_.key_begin + key].position; }
  // Whether the keys' columns have no gap.
  bool contiguous() const { return contiguous_; }
  // The keys that a query in this column sees. Both ends ascend with it.
  KeyRange from(size_t column) const;

 private:
  size_t lower_bound(size_t column) const;

  const PlannedBlock& block_;
  const PlannedSequence& sequence_;
  AttentionMask mask_;
  size_t first_column_;
  bool contiguous_;
};

}  // namespace bert_native
