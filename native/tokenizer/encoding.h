#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tokenizer/post_processors/truncation.h"
#include "tokenizer/word_buffer.h"

namespace bert_native {

// Texts as UTF-16, back to back; lone surrogates are allowed. Text i lies between starts[i] and starts[i + 1]; behind
// the last may be room.
struct SampleTexts {
  std::vector<char16_t> units;
  std::vector<size_t> starts{0};
  bool split_into_words = false;
  // If the texts are words that were split already: sample i is made of the texts [word_starts[i], word_starts[i + 1]).
  std::vector<int32_t> word_starts;

  size_t text_count() const { return starts.size() - 1; }
  size_t sample_count() const { return split_into_words ? word_starts.size() - 1 : text_count(); }
  std::u16string_view text(size_t i) const { return {units.data() + starts[i], starts[i + 1] - starts[i]}; }
};

struct EncodeInput {
  SampleTexts first;
  bool has_second = false;
  SampleTexts second;        // as many samples as `first`
  int32_t first_sample = 0;  // the number of the first one, if this is a part of a larger input
};

struct EncodeOptions {
  bool add_special_tokens = true;
  Truncation truncation = Truncation::kNone;
  size_t max_length = 0;  // tokens in a row, special ones included
  size_t stride = 0;      // tokens that a window repeats from the one before
  Side truncation_side = Side::kRight;
  bool return_overflowing_tokens = false;
  bool return_type_ids = true;
  bool return_sequence_ids = true;
  bool return_offsets = false;
  bool return_word_ids = false;
  bool return_truncated = false;
};

// Rows back to back, no padding: row r lies between row_starts[r] and row_starts[r + 1].
struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> row_starts{0};
  std::vector<int32_t> sample_of_row;
  // Each empty unless asked for.
  std::vector<uint8_t> type_ids;
  std::vector<int8_t> sequence_ids;  // -1 special token of the template, 0 first text, 1 second
  std::vector<Span> offsets;
  std::vector<int32_t> word_ids;   // -1 special token of the template
  std::vector<uint8_t> truncated;  // of each sample, whether it lost tokens
};

// A number of tokens as a position in row_starts. Throws Error(kMemory) for more than 2^31 - 1.
int32_t token_position(size_t tokens);

// The row_starts of all parts, as of one: as many as they have rows, and one. Throws Error(kMemory) as
// token_position().
void join_row_starts(const std::vector<Encoding>& parts, int32_t* starts);

// White space at the sides of a token, in UTF-16 units of the text that it stands for.
struct Margin {
  int32_t leading = 0;
  int32_t trailing = 0;
  bool leads_with_one = false;  // it is one character at the beginning
};

// The tokens of one text, before truncation.
struct TokenRun {
  std::vector<int32_t> ids;
  std::vector<Span> offsets;      // empty unless asked for
  std::vector<int32_t> word_ids;  // empty unless asked for
  std::vector<Margin> margins;    // empty unless offsets are to be trimmed by them

  size_t size() const { return ids.size(); }
  void clear() {
    ids.clear();
    offsets.clear();
    word_ids.clear();
    margins.clear();
  }
};

}  // namespace bert_native
