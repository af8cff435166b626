#pragma once

#include <cstddef>
#include <vector>

#include "tokenizer/span.h"

namespace bert_native {

enum class Truncation { kNone, kLongestFirst, kOnlyFirst, kOnlySecond };
enum class Side { kRight, kLeft };  // where tokens are taken away

struct PairLengths {
  size_t first = 0;
  size_t second = 0;

  bool operator==(const PairLengths&) const = default;
};

// Which of two texts that are cut to an odd number of tokens keeps one more.
enum class OddToken { kToFirst, kToLonger };  // the second, where they are equal

// How many tokens of each text stay, so that both together have at most `room`. `is_pair` false: there is no second
// text. longest_first shortens the longer text to the other, then both; the others cut one text, which has to keep a
// token if it is part of a pair. Throws kTruncation where that cannot be done.
PairLengths truncated_lengths(PairLengths lengths, bool is_pair, size_t room, Truncation truncation,
                              OddToken odd_token = OddToken::kToFirst);

// The `kept` tokens of `length` that stay.
Range kept_range(size_t length, size_t kept, Side side);

// All of `length` tokens as windows of at most `window` tokens, each repeating `stride` tokens of the one before; the
// first is the one that truncation keeps. As the Rust library tokenizers has it (Encoding::truncate). One window if all
// fit. Throws kTruncation unless stride < window where there are several.
std::vector<Range> overflow_windows(size_t length, size_t window, size_t stride, Side side);

}  // namespace bert_native
