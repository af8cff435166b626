#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/span.h"

namespace bert_native {

// A regular expression that lib/tokenizers/regex/ compiled; see there for what the numbers mean.
struct RegexProgram {
  std::vector<int32_t> code;
  std::vector<uint32_t> ranges;
  std::string source;  // for messages
};

// What Split, Replace and their like look for: a string, or a regular expression.
class Pattern {
 public:
  virtual ~Pattern() = default;

  // Appends every match in `text`, from left to right, none overlapping another. Throws kOption where a regular
  // expression takes more steps than any sensible one would for a text of that length.
  virtual void find_all(std::u32string_view text, std::vector<Range>& matches) const = 0;

  // Whether a match can hold, or depend on, a space with characters beside it that are no white space.
  virtual bool may_match_around_space() const { return true; }

  // Whether every match is made of spaces and nothing else.
  virtual bool matches_spaces_alone() const { return false; }
};

using PatternPointer = std::unique_ptr<const Pattern>;

// Matches the string, which is not empty, as it is.
PatternPointer make_literal_pattern(std::u32string literal);

// Throws kOption for a program that does not hold together.
PatternPointer make_regex_pattern(RegexProgram program);

}  // namespace bert_native
