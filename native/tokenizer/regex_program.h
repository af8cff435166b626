#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/pattern.h"
#include "tokenizer/regex_class.h"

namespace bert_native {

// What lib/tokenizers/regex/program.ts writes; the numbers and the order of the operands are the same there.
enum class RegexOp : int32_t {
  kMatch = 0,          // the end
  kCharacter = 1,      // code point
  kClass = 2,          // class
  kRun = 3,            // class, min, max (-1: no limit), RegexRun, memo slot or -1
  kJump = 4,           // target
  kSplit = 5,          // tried first; tried second; memo slot or -1; class that the first one starts with or -1
  kMarkPosition = 6,   // register
  kJumpIfEmpty = 7,    // register, target: taken where nothing was consumed since the position was marked
  kAtomic = 8,         // up to kGroupEnd: what was matched once stays so; 1: failures are forgotten at its end
  kLookahead = 9,      // 1: negative; target behind its kGroupEnd; 1: failures are forgotten at its end
  kLookbehind = 10,    // 1: negative; target behind its kGroupEnd; length of the shortest match, of the longest (-1)
  kGroupEnd = 11,      // of kAtomic, kLookahead and kLookbehind
  kAssert = 12,        // RegexAssertion
  kWordBoundary = 13,  // 1: negative; class of word characters
  kFail = 14,
};

enum class RegexRun : int32_t { kGreedy = 0, kLazy = 1, kPossessive = 2 };

enum class RegexAssertion : int32_t {
  kTextStart = 0,
  kTextEnd = 1,
  kTextEndOrLastNewline = 2,
  kLineStart = 3,
  kLineEnd = 4,
};

struct RegexInstruction {
  RegexOp op = RegexOp::kFail;
  int32_t a = 0, b = 0, c = 0, d = 0, e = 0;
};

// A program that was checked: every target, class, register and memo slot exists, and no instruction runs past the end.
struct CheckedRegex {
  // Throws kOption for a program that does not hold together.
  explicit CheckedRegex(RegexProgram program);

  // Where a match that starts with this code point begins: behind alternatives that cannot.
  uint32_t entry_at(char32_t code_point) const { return code_point < kAscii ? entries[code_point] : entries[kAscii]; }

  static constexpr size_t kAscii = 0x80;

  std::vector<RegexInstruction> instructions;
  std::array<uint32_t, kAscii + 1> entries{};  // the last is for everything behind ASCII
  std::vector<RegexClass> classes;
  size_t registers = 0;
  size_t memo_slots = 0;
  int32_t start_class = -1;  // what every match starts with; -1: not known, or matches may be empty
  bool has_empty_checks = false;
  std::string source;
};

}  // namespace bert_native
