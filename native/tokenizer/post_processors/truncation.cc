#include "tokenizer/post_processors/truncation.h"

#include <algorithm>
#include <string>

#include "common/errors.h"

namespace bert_native {

namespace {

[[noreturn]] void refuse(const char* strategy, const std::string& why) {
  throw Error(ErrorCode::kTruncation, std::string("truncation '") + strategy + "' cannot reach max_length: " + why);
}

std::string tokens(size_t count) { return std::to_string(count) + (count == 1 ? " token" : " tokens"); }

// With kToFirst equal to taking away one token at a time: the longer text shrinks to the shorter, from then on both in
// turn, the second first.
PairLengths longest_first(PairLengths lengths, size_t room, OddToken odd_token) {
  const size_t shorter = std::min(lengths.first, lengths.second);
  if (2 * shorter >= room) {
    const bool to_first = odd_token == OddToken::kToFirst || lengths.first > lengths.second;
    return to_first ? PairLengths{room - room / 2, room / 2} : PairLengths{room / 2, room - room / 2};
  }
  return lengths.first > lengths.second ? PairLengths{room - shorter, shorter} : PairLengths{shorter, room - shorter};
}

size_t cut_one(const char* strategy, const char* other, size_t other_length, size_t room) {
  if (other_length >= room) {
    refuse(strategy, "the " + std::string(other) + " text alone fills the room for " + tokens(room) +
                         " that special tokens leave");
  }
  return room - other_length;
}

}  // namespace

PairLengths truncated_lengths(PairLengths lengths, bool is_pair, size_t room, Truncation truncation,
                              OddToken odd_token) {
  if (truncation == Truncation::kNone || lengths.first + lengths.second <= room) return lengths;
  if (!is_pair) {
    if (truncation == Truncation::kOnlySecond) refuse("only_second", "there is no second text");
    return {room, 0};
  }
  switch (truncation) {
    case Truncation::kOnlyFirst:
      return {cut_one("only_first", "second", lengths.second, room), lengths.second};
    case Truncation::kOnlySecond:
      return {lengths.first, cut_one("only_second", "first", lengths.first, room)};
    default:
      return longest_first(lengths, room, odd_token);
  }
}

Range kept_range(size_t length, size_t kept, Side side) {
  return side == Side::kRight ? Range{0, kept} : Range{length - kept, length};
}

std::vector<Range> overflow_windows(size_t length, size_t window, size_t stride, Side side) {
  if (length <= window) return {{0, length}};
  if (stride >= window) {
    throw Error(ErrorCode::kTruncation, "stride " + std::to_string(stride) + " must be less than the " +
                                            tokens(window) + " of this text that a window has room for");
  }
  std::vector<Range> windows;
  const size_t step = window - stride;
  for (size_t skipped = 0;; skipped += step) {
    const size_t size = std::min(window, length - skipped);
    windows.push_back(side == Side::kRight ? Range{skipped, skipped + size}
                                           : Range{length - skipped - size, length - skipped});
    if (skipped + size == length) return windows;
  }
}

}  // namespace bert_native
