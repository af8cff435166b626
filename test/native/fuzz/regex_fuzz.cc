// Programs of regular expressions, checked ones and others, on texts: they are refused, find matches inside the text in
// order, or run out of their budget of steps.

#include <vector>

#include "common/errors.h"
#include "fuzz/fuzz_target.h"
#include "fuzz/tokenizer_parts.h"
#include "tokenizer/pattern.h"

namespace bert_native::fuzz {

static void run_regex(FuzzInput& input) {
  std::vector<Range> matches;
  std::u32string text;
  try {
    PatternPointer pattern;
    if (input.below(4) == 0) {
      RegexProgram program;
      program.source = "/raw/";
      for (size_t words = input.below(256); words > 0; --words) program.code.push_back(input.number());
      for (size_t words = input.below(64); words > 0; --words) program.ranges.push_back(input.take<uint16_t>());
      pattern = make_regex_pattern(std::move(program));
    } else {
      pattern = make_regex_pattern(make_program(input));
    }
    for (const char16_t unit : input.text(400)) text.push_back(unit >= 0xd800 && unit < 0xe000 ? 0x1f600 : unit);
    pattern->find_all(text, matches);
  } catch (const Error& error) {
    require(error.code() == ErrorCode::kOption, error.what());
  }
  size_t end = 0;
  for (const Range& match : matches) {
    require(end <= match.begin && match.begin <= match.end && match.end <= text.size(), "matches ascend in the text");
    end = match.end;
  }
}

BN_FUZZ_TARGET(regex, run_regex)

}  // namespace bert_native::fuzz
