#include "tokenizer/word_buffer.h"

#include <algorithm>

namespace bert_native {

namespace {

// Marks in a row past these lend no origins any more: those that are dropped, and those of a word that is too long.
constexpr size_t kMostMarks = 4096;

bool by_rank(const WordBuffer::Mark& a, const WordBuffer::Mark& b) { return a.rank < b.rank; }

}  // namespace

void WordBuffer::append_mark(const Mark& mark) {
  if (mark.dropped) {
    if (with_origins_ && marks_.size() < kMostMarks) marks_.push_back(mark);
    return;
  }
  const bool only_origins_count = code_points_ + kept_marks_ > max_code_points_;
  if (only_origins_count && (!with_origins_ || marks_.size() >= kMostMarks)) {
    settle_marks();
    store(mark.code_point, mark.origin);
    return;
  }
  marks_.push_back(mark);
  ++kept_marks_;
}

void WordBuffer::store_marks() {
  if (!std::is_sorted(marks_.begin(), marks_.end(), by_rank)) put_marks_in_order();
  for (const Mark& mark : marks_) {
    if (!mark.dropped) store(mark.code_point, mark.origin);
  }
  marks_.clear();
  kept_marks_ = 0;
}

void WordBuffer::put_marks_in_order() {
  mark_origins_.clear();
  for (const Mark& mark : marks_) {
    if (mark.is_first) mark_origins_.push_back(mark.origin);
  }
  Span last = marks_.front().origin;  // where it is not the first of its character, that one's
  std::stable_sort(marks_.begin(), marks_.end(), by_rank);
  auto next = mark_origins_.begin();
  for (Mark& mark : marks_) {
    if (mark.is_first) last = *next++;
    mark.origin = last;
  }
}

void WordBuffer::grow() {
  bytes_.resize(std::max<size_t>(64, bytes_.size() * 2));
  if (with_origins_) origins_.resize(bytes_.size());
}

}  // namespace bert_native
