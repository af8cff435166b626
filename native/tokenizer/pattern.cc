#include "tokenizer/pattern.h"

#include <utility>

#include "common/errors.h"
#include "tokenizer/regex_matcher.h"
#include "tokenizer/regex_program.h"

namespace bert_native {

namespace {

class LiteralPattern final : public Pattern {
 public:
  explicit LiteralPattern(std::u32string literal) : literal_(std::move(literal)) {
    if (literal_.empty())
      throw Error(ErrorCode::kOption, "a pattern is an empty string: expected at least one character");
  }

  void find_all(std::u32string_view text, std::vector<Range>& matches) const override {
    for (size_t at = text.find(literal_); at != std::u32string_view::npos; at = text.find(literal_, at)) {
      matches.push_back({at, at + literal_.size()});
      at += literal_.size();
    }
  }

  // Two spaces and more are never what stands alone between two words.
  bool may_match_around_space() const override {
    return matches_spaces_alone() ? literal_.size() == 1 : literal_.find(U' ') != std::u32string::npos;
  }

  bool matches_spaces_alone() const override { return literal_.find_first_not_of(U' ') == std::u32string::npos; }

 private:
  std::u32string literal_;
};

class RegexPattern final : public Pattern {
 public:
  explicit RegexPattern(RegexProgram program)
      : joins_spaces_(program.source == " {2,}"), program_(std::move(program)) {}

  // As FindMatches of the Rust crate onig, which the Rust library tokenizers uses: behind an empty match the search
  // goes on one character further, and an empty match where the one before ended does not count.
  void find_all(std::u32string_view text, std::vector<Range>& matches) const override {
    if (text.empty()) return;
    RegexMatcher matcher(program_, text);
    Range match;
    size_t last_end = std::u32string_view::npos;
    for (size_t from = 0; from <= text.size() && matcher.search(from, match);) {
      const bool is_empty = match.begin == match.end;
      if (!is_empty || match.end != last_end) matches.push_back(match);
      last_end = match.end;
      from = is_empty ? match.end + 1 : match.end;
    }
  }

  bool may_match_around_space() const override { return !joins_spaces_; }
  bool matches_spaces_alone() const override { return joins_spaces_; }

 private:
  bool joins_spaces_;  // the one pattern that SentencePiece's conversions to tokenizer.json write
  CheckedRegex program_;
};

}  // namespace

PatternPointer make_literal_pattern(std::u32string literal) {
  return std::make_unique<LiteralPattern>(std::move(literal));
}

PatternPointer make_regex_pattern(RegexProgram program) { return std::make_unique<RegexPattern>(std::move(program)); }

}  // namespace bert_native
