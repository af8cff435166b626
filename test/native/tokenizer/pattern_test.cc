#include "tokenizer/pattern.h"

#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "check_throws.h"
#include "harness.h"
#include "tokenizer/regex_program.h"

namespace bert_native::test {

namespace {

using Set = std::vector<uint32_t>;
using Op = RegexOp;

// A program with its header; classes are numbered in the order of `sets`.
class Assembler {
 public:
  explicit Assembler(std::vector<Set> sets = {}) : sets_(std::move(sets)) {}

  Assembler& add(Op op, std::initializer_list<int32_t> operands = {}) {
    code_.push_back(static_cast<int32_t>(op));
    code_.insert(code_.end(), operands);
    code_.resize((code_.size() + 5) / 6 * 6);
    return *this;
  }

  RegexProgram program(int32_t registers = 0, int32_t memo_slots = 0, int32_t start_class = -1) const {
    RegexProgram program;
    program.code = {1, static_cast<int32_t>(sets_.size()), registers, memo_slots, start_class};
    program.code.insert(program.code.end(), code_.begin(), code_.end());
    size_t end = sets_.size() + 1;
    for (const Set& set : sets_) {
      program.ranges.push_back(static_cast<uint32_t>(end));
      end += set.size();
    }
    program.ranges.push_back(static_cast<uint32_t>(end));
    for (const Set& set : sets_) program.ranges.insert(program.ranges.end(), set.begin(), set.end());
    program.source = "(the test's)";
    return program;
  }

 private:
  std::vector<Set> sets_;
  std::vector<int32_t> code_;
};

const Set kLetterA = {'a', 'a'};
const Set kLetters = {'a', 'z', 0xe0, 0xff, 0x4e00, 0x9fff};

std::string show(const std::vector<Range>& matches) {
  std::string text;
  for (const Range& match : matches) {
    text += '[';
    text += std::to_string(match.begin);
    text += ',';
    text += std::to_string(match.end);
    text += ')';
  }
  return text;
}

void check_matches(const PatternPointer& pattern, std::u32string_view text, const std::string& expected) {
  std::vector<Range> matches;
  pattern->find_all(text, matches);
  BN_CHECK(show(matches) == expected, "expected " + expected + ", got " + show(matches));
}

void literals_are_found_from_left_to_right() {
  const PatternPointer pattern = make_literal_pattern(U"aa");
  check_matches(pattern, U"aaaba", "[0,2)");
  check_matches(pattern, U"aaaaa", "[0,2)[2,4)");
  check_matches(pattern, U"", "");
  check_throws(ErrorCode::kOption, "empty string", [] { make_literal_pattern(U""); });
}

// class{min,max} character
PatternPointer run_then(const Set& set, int32_t min, int32_t max, RegexRun mode, char32_t then) {
  Assembler assembler({set});
  assembler.add(Op::kRun, {0, min, max, static_cast<int32_t>(mode), 0});
  assembler.add(Op::kCharacter, {static_cast<int32_t>(then)}).add(Op::kMatch);
  return make_regex_pattern(assembler.program(0, 1));
}

void runs_are_greedy_lazy_or_possessive() {
  check_matches(run_then(kLetters, 1, -1, RegexRun::kGreedy, U'a'), U"xaxa a", "[0,4)");
  check_matches(run_then(kLetters, 1, -1, RegexRun::kLazy, U'a'), U"xaxa a", "[0,2)[2,4)");
  check_matches(run_then(kLetters, 1, -1, RegexRun::kPossessive, U'a'), U"xaxa a", "");
  check_matches(run_then(kLetters, 1, 2, RegexRun::kGreedy, U'a'), U"xyza", "[1,4)");
  check_matches(run_then(kLetters, 2, 2, RegexRun::kGreedy, U'a'), U"xa éa一三a", "[5,8)");
}

// (?:first|second), where each is one character
void an_earlier_alternative_is_preferred() {
  Assembler assembler;
  assembler.add(Op::kSplit, {1, 3, -1, -1}).add(Op::kCharacter, {'a'}).add(Op::kJump, {5});
  assembler.add(Op::kCharacter, {'a'}).add(Op::kCharacter, {'b'}).add(Op::kMatch);
  check_matches(make_regex_pattern(assembler.program()), U"ab", "[0,1)");
}

// (?!a) and (?<=a)
void empty_matches_are_counted_as_the_rust_library_does() {
  Assembler ahead;
  ahead.add(Op::kLookahead, {1, 3}).add(Op::kCharacter, {'a'}).add(Op::kGroupEnd).add(Op::kMatch);
  check_matches(make_regex_pattern(ahead.program()), U"bac", "[0,0)[2,2)[3,3)");
  check_matches(make_regex_pattern(ahead.program()), U"", "");
  Assembler behind;
  behind.add(Op::kLookbehind, {0, 3, 1, 1}).add(Op::kCharacter, {'a'}).add(Op::kGroupEnd).add(Op::kMatch);
  check_matches(make_regex_pattern(behind.program()), U"bac", "[2,2)");
  // a*, whose empty match where another one ended does not count
  Assembler run({kLetterA});
  run.add(Op::kRun, {0, 0, -1, 0, -1}).add(Op::kMatch);
  check_matches(make_regex_pattern(run.program()), U"baac", "[0,0)[1,3)[4,4)");
}

void a_lookbehind_sees_nothing_behind_its_place() {
  // (?<=a++), of any length: the run may not take the letters that follow.
  Assembler assembler({kLetterA});
  assembler.add(Op::kLookbehind, {0, 3, 1, -1}).add(Op::kRun, {0, 1, -1, 2, -1}).add(Op::kGroupEnd).add(Op::kMatch);
  check_matches(make_regex_pattern(assembler.program()), U"aab", "[1,1)[2,2)");
}

void sets_of_many_ranges_are_looked_up_in_a_table() {
  std::mt19937 random(5);
  Set set;
  for (uint32_t next = 3; next < 0x10FF00; next += 1 + random() % 1500) {
    set.push_back(next);
    next += random() % 300;
    set.push_back(next);
    next += 1;
  }
  Assembler assembler({set});
  assembler.add(Op::kClass, {0}).add(Op::kMatch);
  const PatternPointer pattern = make_regex_pattern(assembler.program());
  std::u32string text;
  std::vector<Range> expected;
  size_t range = 0;
  for (uint32_t code_point = 0; code_point < 0x110000; code_point += 7) {
    while (range < set.size() && set[range + 1] < code_point) range += 2;
    if (range < set.size() && set[range] <= code_point) {
      expected.push_back({text.size(), text.size() + 1});
    }
    text += static_cast<char32_t>(code_point);
  }
  check_matches(pattern, text, show(expected));
}

void programs_that_do_not_hold_together_are_refused() {
  const auto refuses = [](const RegexProgram& program, const std::string& what) {
    check_throws(ErrorCode::kOption, "its " + what + " is wrong", [&] { make_regex_pattern(program); });
  };
  const auto one = [](Op op, std::initializer_list<int32_t> operands) {
    return Assembler({kLetterA}).add(op, operands).add(Op::kMatch).program(1, 1);
  };
  refuses({}, "header");
  refuses({{2, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0}, {1}, ""}, "header");
  refuses({{1, 0, 0, 0, -1}, {1}, ""}, "size");
  refuses({{1, 0, 0, 0, -1, 0, 0}, {1}, ""}, "size");
  refuses({{1, -1, 0, 0, -1, 0, 0, 0, 0, 0, 0}, {1}, ""}, "number of classes");
  refuses({{1, 5000, 0, 0, -1, 0, 0, 0, 0, 0, 0}, {1}, ""}, "number of classes");
  refuses({{1, 1, 0, 0, -1, 0, 0, 0, 0, 0, 0}, {1}, ""}, "list of ranges");
  for (const std::vector<uint32_t>& ranges : std::vector<std::vector<uint32_t>>{{2, 3, 'a'},
                                                                                {2, 4, 'b', 'a'},
                                                                                {2, 4, 'b', 0x110000},
                                                                                {2, 6, 'a', 'c', 'c', 'd'},
                                                                                {2, 9, 'a', 'c'},
                                                                                {1, 4, 'a', 'c'}}) {
    refuses({{1, 1, 0, 0, -1, 0, 0, 0, 0, 0, 0}, ranges, ""}, "list of ranges");
  }
  refuses(Assembler().add(Op::kMatch).program(2), "registers");
  refuses(Assembler().add(Op::kMatch).program(-1), "registers");
  refuses(Assembler().add(Op::kMatch).program(0, 2), "memo slots");
  refuses(Assembler().add(Op::kMatch).program(0, 0, 0), "start class");
  refuses(Assembler().add(Op::kCharacter, {'a'}).program(), "last instruction");
  refuses(Assembler().add(Op::kAtomic).program(), "last instruction");
  refuses(one(static_cast<Op>(99), {}), "instruction");
  refuses(one(static_cast<Op>(-1), {}), "instruction");
  refuses(one(Op::kCharacter, {-1}), "character");
  refuses(one(Op::kClass, {1}), "class");
  refuses(one(Op::kClass, {-1}), "class");
  refuses(one(Op::kRun, {1, 0, -1, 0, -1}), "class");
  refuses(one(Op::kRun, {0, -1, -1, 0, -1}), "repetition");
  refuses(one(Op::kRun, {0, 3, 2, 0, -1}), "repetition");
  refuses(one(Op::kRun, {0, 0, -1, 3, -1}), "repetition");
  refuses(one(Op::kRun, {0, 0, -1, 0, 1}), "memo slot");
  refuses(one(Op::kJump, {2}), "target");
  refuses(one(Op::kSplit, {0, -1, -1, -1}), "target");
  refuses(one(Op::kSplit, {0, 1, 1, -1}), "memo slot");
  refuses(one(Op::kSplit, {0, 1, 0, 1}), "class");
  refuses(one(Op::kMarkPosition, {1}), "register");
  refuses(one(Op::kJumpIfEmpty, {0, 2}), "register");
  refuses(one(Op::kAtomic, {2}), "atomic group");
  refuses(one(Op::kLookahead, {2, 1}), "lookahead");
  refuses(one(Op::kLookahead, {0, 1, -1}), "lookahead");
  refuses(one(Op::kLookbehind, {0, 1, 2, 1}), "lookbehind");
  refuses(one(Op::kAssert, {5}), "assertion");
  refuses(one(Op::kWordBoundary, {0, 1}), "word boundary");
}

void a_program_that_goes_on_for_ever_is_stopped() {
  const std::u32string text(100, U'a');
  const auto stops = [&](const RegexProgram& program, const std::string& what) {
    const PatternPointer pattern = make_regex_pattern(program);
    std::vector<Range> matches;
    check_throws(ErrorCode::kOption, what, [&] { pattern->find_all(text, matches); });
  };
  const std::string too_long = "the regular expression (the test's) takes too long on a text of 100 characters";
  stops(Assembler().add(Op::kJump, {0}).program(), too_long);
  stops(Assembler().add(Op::kAtomic).add(Op::kJump, {0}).program(), "takes too");
  // Each lookbehind that ends looks for the one around it, past every group that is open.
  stops(Assembler().add(Op::kAtomic).add(Op::kLookbehind, {0, 0, 0, 0}).add(Op::kGroupEnd).add(Op::kMatch).program(),
        "takes too");
  stops(Assembler().add(Op::kSplit, {0, 0, -1, -1}).program(), "takes too");
  stops(Assembler().add(Op::kSplit, {0, 0, 0, -1}).program(0, 1), "takes too");
  stops(Assembler().add(Op::kGroupEnd).add(Op::kMatch).program(), "ends a group that it did not begin");
}

// (?:a)*: each repetition is a choice to come back to.
void a_stack_without_end_is_stopped() {
  Assembler assembler;
  assembler.add(Op::kSplit, {1, 3, -1, -1}).add(Op::kCharacter, {'a'}).add(Op::kJump, {0}).add(Op::kMatch);
  const PatternPointer pattern = make_regex_pattern(assembler.program());
  check_matches(pattern, std::u32string(1000, U'a') + U"b", "[0,1000)[1001,1001)");
  std::vector<Range> matches;
  check_throws(ErrorCode::kOption, "takes too much memory",
               [&] { pattern->find_all(std::u32string((size_t{1} << 23) + 10, U'a'), matches); });
}

// (?:a|a)*b: every choice doubles what there is to try.
void failures_are_remembered() {
  Assembler assembler({kLetterA});
  assembler.add(Op::kSplit, {1, 5, 0, -1}).add(Op::kSplit, {2, 4, 1, -1}).add(Op::kCharacter, {'a'});
  assembler.add(Op::kJump, {0}).add(Op::kSplit, {2, 2, -1, -1}).add(Op::kCharacter, {'b'}).add(Op::kMatch);
  const PatternPointer pattern = make_regex_pattern(assembler.program(0, 2));
  check_matches(pattern, std::u32string(20000, U'a'), "");
  check_matches(pattern, std::u32string(20000, U'a') + U"b", "[0,20001)");
}

// a+b, greedy, lazy and possessive, from every place of a long row of a.
void runs_are_not_scanned_again() {
  for (const RegexRun mode : {RegexRun::kGreedy, RegexRun::kLazy, RegexRun::kPossessive}) {
    const PatternPointer pattern = run_then(kLetterA, 1, -1, mode, U'b');
    check_matches(pattern, std::u32string(300000, U'a'), "");
    check_matches(pattern, std::u32string(300000, U'a') + U"ab", "[0,300002)");
  }
}

void random_programs_do_no_harm() {
  std::mt19937 random(11);
  const std::u32string text = U"aab éa\nbb一a";
  size_t accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    Assembler assembler({kLetterA, kLetters});
    const auto size = static_cast<int32_t>(2 + random() % 8);
    for (int32_t j = 1; j < size; ++j) {
      const auto op = static_cast<int32_t>(random() % 15);
      const auto operand = [&] { return static_cast<int32_t>(random() % 9) - 1; };
      assembler.add(static_cast<Op>(op), {operand(), operand(), operand(), operand(), operand()});
    }
    assembler.add(Op::kMatch);
    try {
      const PatternPointer pattern = make_regex_pattern(assembler.program(2, 2));
      ++accepted;
      std::vector<Range> matches;
      pattern->find_all(text, matches);
      size_t end = 0;
      for (const Range& match : matches) {
        BN_CHECK(match.begin >= end && match.end >= match.begin && match.end <= text.size(), show(matches));
        end = match.end;
      }
    } catch (const Error& error) {
      BN_CHECK(error.code() == ErrorCode::kOption, error.what());
    }
  }
  BN_CHECK(accepted > 500, "only " + std::to_string(accepted) + " programs were run");
}

void add_tests() {
  add("pattern/literal: is found from left to right", literals_are_found_from_left_to_right);
  add("pattern/regex: runs are greedy, lazy or possessive", runs_are_greedy_lazy_or_possessive);
  add("pattern/regex: an earlier alternative is preferred", an_earlier_alternative_is_preferred);
  add("pattern/regex: empty matches", empty_matches_are_counted_as_the_rust_library_does);
  add("pattern/regex: a lookbehind sees nothing behind its place", a_lookbehind_sees_nothing_behind_its_place);
  add("pattern/regex: sets of many ranges", sets_of_many_ranges_are_looked_up_in_a_table);
  add("pattern/regex: programs that do not hold together", programs_that_do_not_hold_together_are_refused);
  add("pattern/regex: programs that go on for ever", a_program_that_goes_on_for_ever_is_stopped);
  add("pattern/regex: a stack without end", a_stack_without_end_is_stopped);
  add("pattern/regex: failures are remembered", failures_are_remembered);
  add("pattern/regex: runs are not scanned again", runs_are_not_scanned_again);
  add("pattern/regex: random programs do no harm", random_programs_do_no_harm);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
