#include "tokenizer/word_buffer.h"

#include <algorithm>

namespace bert_native {

void WordBuffer::append_mark(char32_t c, int rank, Span origin) {
  if (code_points_ + marks_.size() > max_code_points_) {
    settle_marks();  // too long already: their order no longer matters
    store(c, origin);
    return;
  }
  marks_.push_back({c, rank, origin});
}

void WordBuffer::store_marks() {
  std::stable_sort(marks_.begin(), marks_.end(), [](const Mark& a, const Mark& b) { return a.rank < b.rank; });
  for (const Mark& mark : marks_) store(mark.code_point, mark.origin);
  marks_.clear();
}

Span WordBuffer::span_of(size_t begin, size_t end) const {
  // Reordered marks may stand in another order than in the text.
  const Span first = origins_[begin], last = origins_[end - 1];
  return {std::min(first.start, last.start), std::max(first.end, last.end)};
}

void WordBuffer::grow() {
  bytes_.resize(std::max<size_t>(64, bytes_.size() * 2));
  if (with_origins_) origins_.resize(bytes_.size());
}

}  // namespace bert_native
