#include "tokenizer/regex_matcher.h"

#include <algorithm>
#include <string>

#include "common/errors.h"

namespace bert_native {

namespace {

constexpr size_t kUsualStack = 32;
// 160 MiB.
constexpr size_t kMaxStack = size_t{1} << 23;
// 64 MiB.
constexpr size_t kMaxMemoBits = size_t{1} << 29;

// Instructions count 1; what takes longer or less long:
constexpr uint64_t kBacktrackSteps = 4;
constexpr uint64_t kScannedPerStep = 4;

// An ordinary expression takes fewer than this for a code point.
uint64_t ordinary_steps(size_t size) { return 4096 + 64 * uint64_t{size}; }

// Memory of failures brings the cost of a code point down to a few steps for each choice of the program.
uint64_t step_budget(size_t size, size_t instructions) {
  const uint64_t per_code_point = std::min<uint64_t>(512 + 16 * uint64_t{instructions}, 4096);
  return (uint64_t{1} << 20) + per_code_point * size;
}

[[noreturn]] void refuse_text(const CheckedRegex& program, size_t size, const char* why) {
  throw Error(ErrorCode::kOption, "the regular expression " + program.source + " takes too " + why + " on a text of " +
                                      std::to_string(size) + " characters");
}

}  // namespace

RegexMatcher::RegexMatcher(const CheckedRegex& program, std::u32string_view text)
    : program_(program), text_(text), size_(static_cast<Position>(text.size())), registers_(program.registers) {
  if (text.size() >= kNone) refuse_text(program, text.size(), "long");
  allowed_steps_ = ordinary_steps(text.size());
  stack_.reserve(kUsualStack);
}

bool RegexMatcher::search(size_t begin, Range& match) {
  const int32_t start_class = program_.start_class;
  for (auto start = static_cast<Position>(begin); start <= size_; ++start) {
    if (start_class >= 0) {
      const RegexClass& first = program_.classes[static_cast<size_t>(start_class)];
      while (start < size_ && !first.contains(text_[start])) ++start;
      if (start == size_) return false;
    }
    if (match_at(start)) {
      match = {start, position_};
      // Inside a loop over something that may be empty, a failure may owe itself to the way there. No such failure
      // matters while the whole fails, but it does for the next match.
      if (program_.has_empty_checks) forget_failures();
      return true;
    }
  }
  return false;
}

bool RegexMatcher::match_at(Position start) {
  stack_.clear();
  group_ = kNone;
  end_ = size_;
  pc_ = start < size_ ? program_.entry_at(text_[start]) : 0;
  position_ = start;
  for (;;) {
    count_steps(1);
    const RegexInstruction& instruction = program_.instructions[pc_];
    bool goes_on = true;
    switch (instruction.op) {
      case RegexOp::kMatch:
        if (group_ == kNone) return true;
        goes_on = false;  // inside a group, which only a program that nobody compiled has
        break;
      case RegexOp::kCharacter:
        goes_on = position_ < end_ && text_[position_] == static_cast<char32_t>(instruction.a);
        ++position_;
        ++pc_;
        break;
      case RegexOp::kClass:
        goes_on = position_ < end_ && program_.classes[static_cast<size_t>(instruction.a)].contains(text_[position_]);
        ++position_;
        ++pc_;
        break;
      case RegexOp::kRun:
        goes_on = begin_run(instruction);
        break;
      case RegexOp::kJump:
        pc_ = static_cast<uint32_t>(instruction.a);
        break;
      case RegexOp::kSplit:
        if (instruction.d >= 0 &&
            (position_ == end_ || !program_.classes[static_cast<size_t>(instruction.d)].contains(text_[position_]))) {
          pc_ = static_cast<uint32_t>(instruction.b);
        } else if (has_failed(instruction.c, position_)) {
          goes_on = false;
        } else {
          push_memo(instruction.c, position_);
          push({EntryKind::kBranch, pc_, position_, 0, 0});
          pc_ = static_cast<uint32_t>(instruction.a);
        }
        break;
      case RegexOp::kMarkPosition: {
        Position& marked = registers_[static_cast<size_t>(instruction.a)];
        push({EntryKind::kRestore, static_cast<uint32_t>(instruction.a), marked, 0, 0});
        marked = position_;
        ++pc_;
        break;
      }
      case RegexOp::kJumpIfEmpty:
        pc_ = registers_[static_cast<size_t>(instruction.a)] == position_ ? static_cast<uint32_t>(instruction.b)
                                                                          : pc_ + 1;
        break;
      case RegexOp::kAtomic:
      case RegexOp::kLookahead:
        push({EntryKind::kGroup, pc_, position_, group_, 0});
        group_ = static_cast<Position>(stack_.size() - 1);
        ++pc_;
        break;
      case RegexOp::kLookbehind:
        goes_on = enter_lookbehind(instruction);
        break;
      case RegexOp::kGroupEnd:
        goes_on = end_group();
        break;
      case RegexOp::kAssert:
        goes_on = holds(static_cast<RegexAssertion>(instruction.a));
        ++pc_;
        break;
      case RegexOp::kWordBoundary:
        goes_on = is_word_boundary(program_.classes[static_cast<size_t>(instruction.b)]) == (instruction.a == 0);
        ++pc_;
        break;
      case RegexOp::kFail:
        goes_on = false;
        break;
    }
    if (!goes_on && !backtrack()) return false;
  }
}

bool RegexMatcher::begin_run(const RegexInstruction& run) {
  const RegexClass& members = program_.classes[static_cast<size_t>(run.a)];
  const auto min = static_cast<Position>(run.b);
  const Position begin = position_;
  if (end_ - begin < min || has_failed(run.e, begin)) return false;
  const Position low = begin + min;
  if (!scan(members, low)) return false;
  switch (static_cast<RegexRun>(run.d)) {
    case RegexRun::kGreedy:
      return go_far(run, begin, low);
    case RegexRun::kLazy:
      return go_near(run, begin);
    case RegexRun::kPossessive:
      break;
  }
  return go_to_the_end(run, begin, low);
}

// Over members of the class up to `end`, and no further. True: all are.
bool RegexMatcher::scan(const RegexClass& members, Position end) {
  const Position begin = position_;
  while (position_ < end && members.contains(text_[position_])) ++position_;
  count_steps((position_ - begin) / kScannedPerStep);
  return position_ == end;
}

bool RegexMatcher::go_to_the_end(const RegexInstruction& run, Position begin, Position low) {
  const RegexClass& members = program_.classes[static_cast<size_t>(run.a)];
  if (FailedRun* failed = failures_behind(run, low)) {
    if (scan(members, std::max(failed->low, low))) {
      failed->low = std::min(failed->low, low);
      return false;
    }
  }
  scan(members, run_limit(run, begin));
  if (remembers_ && is_unlimited(run)) push({EntryKind::kPossessiveRun, pc_, position_, low, 0});
  ++pc_;
  return true;
}

bool RegexMatcher::go_far(const RegexInstruction& run, Position begin, Position low) {
  const RegexClass& members = program_.classes[static_cast<size_t>(run.a)];
  FailedRun* failed = failures_behind(run, low);
  Position end = run_limit(run, begin);
  if (failed != nullptr && scan(members, std::max(failed->low, low))) {
    if (failed->low <= low) return false;
    end = failed->high;
    --position_;
  } else {
    scan(members, end);
    if (position_ == low) {
      ++pc_;
      return true;
    }
    end = position_;
  }
  push_memo(run.e, begin);
  push({EntryKind::kGreedyRun, pc_, position_, low, end});
  ++pc_;
  return true;
}

bool RegexMatcher::go_near(const RegexInstruction& run, Position begin) {
  const Position low = position_;
  const Position limit = run_limit(run, begin);
  const FailedRun* failed = failures_behind(run, low);
  if (failed != nullptr && failed->low <= low) {
    position_ = failed->high;
    if (position_ == limit || !program_.classes[static_cast<size_t>(run.a)].contains(text_[position_])) return false;
    ++position_;
  }
  if (position_ < limit) {
    push_memo(run.e, begin);
    push({EntryKind::kLazyRun, pc_, position_, position_, limit});
  }
  ++pc_;
  return true;
}

RegexMatcher::Position RegexMatcher::run_limit(const RegexInstruction& run, Position begin) const {
  const auto max = static_cast<Position>(run.c);
  return run.c < 0 || max > end_ - begin ? end_ : begin + max;
}

// Failures are remembered of unlimited runs: their ends do not depend on where they began.
bool RegexMatcher::is_unlimited(const RegexInstruction& run) { return run.e >= 0 && run.c < 0; }

// What is known to have failed at `low` or behind it, or nullptr.
RegexMatcher::FailedRun* RegexMatcher::failures_behind(const RegexInstruction& run, Position low) {
  if (!is_unlimited(run) || failed_runs_.empty()) return nullptr;
  FailedRun& failed = failed_runs_[pc_];
  return failed.low <= failed.high && low <= failed.high ? &failed : nullptr;
}

bool RegexMatcher::enter_lookbehind(const RegexInstruction& group) {
  const auto length = static_cast<Position>(group.c);
  if (position_ < length) {
    pc_ = static_cast<uint32_t>(group.b);
    return group.a == 1;
  }
  push({EntryKind::kGroup, pc_, position_, group_, length});
  group_ = static_cast<Position>(stack_.size() - 1);
  end_ = position_;
  position_ -= length;
  ++pc_;
  return true;
}

bool RegexMatcher::end_group() {
  if (group_ == kNone) {
    throw Error(ErrorCode::kOption,
                "the program of the regular expression " + program_.source + " ends a group that it did not begin");
  }
  const Entry entry = stack_[group_];
  const RegexInstruction& group = program_.instructions[entry.pc];
  if (group.op == RegexOp::kLookbehind && position_ != entry.position) return false;
  stack_.resize(group_);
  leave_group(entry);
  if (group.op == RegexOp::kAtomic) {
    if (group.a == 1) forget_failures();
    ++pc_;
    return true;
  }
  if (group.op == RegexOp::kLookahead && group.c == 1) forget_failures();
  position_ = entry.position;
  pc_ = static_cast<uint32_t>(group.b);
  return group.a == 0;
}

void RegexMatcher::leave_group(const Entry& entry) {
  group_ = entry.low;
  if (program_.instructions[entry.pc].op != RegexOp::kLookbehind) return;
  end_ = size_;
  // Few, but in a program that enters groups without an end.
  for (Position outer = group_; outer != kNone; outer = stack_[outer].low) {
    count_steps(1);
    if (program_.instructions[stack_[outer].pc].op != RegexOp::kLookbehind) continue;
    end_ = stack_[outer].position;
    return;
  }
}

// Goes on with the last thing that is left to try. False: nothing is.
bool RegexMatcher::backtrack() {
  while (!stack_.empty()) {
    count_steps(kBacktrackSteps);
    if (resume(stack_.back())) return true;
  }
  return false;
}

bool RegexMatcher::resume(Entry& entry) {
  switch (entry.kind) {
    case EntryKind::kBranch:
      pc_ = static_cast<uint32_t>(program_.instructions[entry.pc].b);
      position_ = entry.position;
      stack_.pop_back();
      return true;
    case EntryKind::kGreedyRun:
      return resume_greedy_run(entry);
    case EntryKind::kLazyRun:
      return resume_lazy_run(entry);
    case EntryKind::kPossessiveRun:
      failures_of(entry.pc) = {entry.low, entry.position};
      break;
    case EntryKind::kGroup:
      return resume_group(entry);
    case EntryKind::kRestore:
      registers_[entry.pc] = entry.position;
      break;
    case EntryKind::kMemo:
      remember_failure(entry);
      break;
  }
  stack_.pop_back();
  return false;
}

bool RegexMatcher::resume_greedy_run(Entry& entry) {
  if (is_unlimited(program_.instructions[entry.pc])) {
    FailedRun& failed = failures_of(entry.pc);
    if (failed.low <= failed.high && failed.high == entry.extra) {
      if (entry.position + 1 == failed.low) failed.low = entry.position;
    } else if (entry.position == entry.extra) {
      failed = {entry.position, entry.position};
    }
  }
  if (entry.position == entry.low) {
    stack_.pop_back();
    return false;
  }
  position_ = --entry.position;
  pc_ = entry.pc + 1;
  return true;
}

bool RegexMatcher::resume_lazy_run(Entry& entry) {
  const RegexInstruction& run = program_.instructions[entry.pc];
  const RegexClass& members = program_.classes[static_cast<size_t>(run.a)];
  const bool grows = entry.position < entry.extra && members.contains(text_[entry.position]);
  if (is_unlimited(run)) {
    FailedRun& failed = failures_of(entry.pc);
    if (entry.position == failed.high + 1 && entry.low >= failed.low && entry.low <= failed.high) {
      failed.high = entry.position;
    } else if (grows && entry.position + 1 == failed.low && failed.low <= failed.high && failed.high <= entry.extra) {
      failed.low = entry.position;
      entry.position = failed.high;
      return resume_lazy_run(entry);
    } else if (entry.position < failed.low || entry.position > failed.high) {
      failed = {entry.position, entry.position};
    }
  }
  if (!grows) {
    stack_.pop_back();
    return false;
  }
  position_ = ++entry.position;
  pc_ = entry.pc + 1;
  return true;
}

RegexMatcher::FailedRun& RegexMatcher::failures_of(uint32_t pc) {
  if (failed_runs_.empty()) failed_runs_.resize(program_.instructions.size());
  return failed_runs_[pc];
}

// Everything inside the group failed.
bool RegexMatcher::resume_group(Entry& entry) {
  const RegexInstruction& group = program_.instructions[entry.pc];
  if (group.op == RegexOp::kLookbehind && (group.d < 0 || entry.extra < static_cast<Position>(group.d)) &&
      entry.extra < entry.position) {
    ++entry.extra;
    position_ = entry.position - entry.extra;
    pc_ = entry.pc + 1;
    return true;
  }
  leave_group(entry);
  position_ = entry.position;
  pc_ = static_cast<uint32_t>(group.b);
  stack_.pop_back();
  return group.op != RegexOp::kAtomic && group.a == 1;
}

bool RegexMatcher::holds(RegexAssertion assertion) const {
  switch (assertion) {
    case RegexAssertion::kTextStart:
      return position_ == 0;
    case RegexAssertion::kTextEnd:
      return position_ == size_;
    case RegexAssertion::kTextEndOrLastNewline:
      return position_ == size_ || (position_ + 1 == size_ && text_[position_] == U'\n');
    case RegexAssertion::kLineStart:
      return position_ == 0 || (text_[position_ - 1] == U'\n' && position_ < size_);
    case RegexAssertion::kLineEnd:
      return position_ == size_ || text_[position_] == U'\n';
  }
  return false;
}

bool RegexMatcher::is_word_boundary(const RegexClass& word) const {
  const bool before = position_ > 0 && word.contains(text_[position_ - 1]);
  const bool after = position_ < size_ && word.contains(text_[position_]);
  return before != after;
}

void RegexMatcher::push(const Entry& entry) {
  if (stack_.size() == kMaxStack) refuse_text(program_, size_, "much memory");
  stack_.push_back(entry);
}

bool RegexMatcher::has_failed(int32_t memo_slot, Position position) const {
  if (!remembers_ || memo_slot < 0) return false;
  const size_t bit = memo_bit(static_cast<size_t>(memo_slot), position);
  return memo_[bit / 64] >> (bit % 64) & 1;
}

// What is pushed above the entry will be spent when it comes to light again.
void RegexMatcher::push_memo(int32_t memo_slot, Position position) {
  if (remembers_ && memo_slot >= 0) push({EntryKind::kMemo, static_cast<uint32_t>(memo_slot), position, 0, 0});
}

void RegexMatcher::count_steps(uint64_t steps) {
  steps_ += steps;
  if (steps_ > allowed_steps_) spent();
}

void RegexMatcher::spent() {
  const uint64_t budget = step_budget(size_, program_.instructions.size());
  if (steps_ > budget) refuse_text(program_, size_, "long");
  allowed_steps_ = budget;
  const size_t slots = program_.memo_slots;
  if (slots == 0 || slots > kMaxMemoBits / (size_t{size_} + 1)) return;
  memo_.resize((slots * (size_t{size_} + 1) + 63) / 64);
  remembers_ = true;
}

void RegexMatcher::remember_failure(const Entry& entry) {
  const size_t bit = memo_bit(entry.pc, entry.position);
  memo_[bit / 64] |= uint64_t{1} << (bit % 64);
  memo_low_ = std::min(memo_low_, entry.position);
  memo_high_ = std::max(memo_high_, entry.position);
}

void RegexMatcher::forget_failures() {
  count_steps(failed_runs_.size());
  std::fill(failed_runs_.begin(), failed_runs_.end(), FailedRun{});
  if (memo_low_ == kNone) return;
  const auto begin = memo_.begin() + static_cast<std::ptrdiff_t>(memo_bit(0, memo_low_) / 64);
  const auto end = memo_.begin() + static_cast<std::ptrdiff_t>(memo_bit(program_.memo_slots - 1, memo_high_) / 64 + 1);
  count_steps(static_cast<uint64_t>(end - begin));
  std::fill(begin, end, 0);
  memo_low_ = kNone;
  memo_high_ = 0;
}

}  // namespace bert_native
