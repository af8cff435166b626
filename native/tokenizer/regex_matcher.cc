#include "tokenizer/regex_matcher.h"

#include <algorithm>
#include <string>

#include "common/errors.h"

namespace bert_native {

namespace {

// 160 MiB.
constexpr size_t kMaxStack = size_t{1} << 23;
// 64 MiB.
constexpr size_t kMaxMemoBits = size_t{1} << 29;

// An ordinary expression takes a few steps for each code point.
constexpr uint64_t kOrdinarySteps = 16;
constexpr uint64_t kSmallTextSteps = 1000;

uint64_t ordinary_steps(size_t size) { return kSmallTextSteps + kOrdinarySteps * size; }

// Memory of failures brings the cost of a code point down to a few steps for each alternative of the program.
uint64_t step_budget(size_t size, size_t instructions) {
  const uint64_t per_code_point = std::min<uint64_t>(64 + 8 * static_cast<uint64_t>(instructions), 4096);
  return 100 * kSmallTextSteps + per_code_point * size;
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
  pc_ = 0;
  position_ = start;
  for (;;) {
    count_steps(1);
    const RegexInstruction& instruction = program_.instructions[pc_];
    bool goes_on = true;
    switch (instruction.op) {
      case RegexOp::kMatch:
        return true;
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
        } else {
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
  if (end_ - begin < min) return false;
  const Position low = begin + min;
  while (position_ < low && members.contains(text_[position_])) ++position_;
  count_steps((position_ - begin) / kOrdinarySteps);
  if (position_ < low) return false;

  if (static_cast<RegexRun>(run.d) == RegexRun::kLazy) {
    if (failed_before(run, low)) {
      position_ = failed_runs_[pc_].high;
      if (position_ == end_ || !members.contains(text_[position_])) return false;
      ++position_;
    }
    push_lazy_run(run, begin);
    ++pc_;
    return true;
  }
  if (failed_before(run, low)) return false;
  const Position end =
      run.c < 0 || static_cast<Position>(run.c) > end_ - begin ? end_ : begin + static_cast<Position>(run.c);
  while (position_ < end && members.contains(text_[position_])) ++position_;
  count_steps((position_ - low) / kOrdinarySteps);
  if (position_ > low && static_cast<RegexRun>(run.d) == RegexRun::kGreedy) {
    push({EntryKind::kGreedyRun, pc_, position_, low, position_});
  }
  ++pc_;
  return true;
}

void RegexMatcher::push_lazy_run(const RegexInstruction& run, Position begin) {
  const Position limit =
      run.c < 0 || static_cast<Position>(run.c) > end_ - begin ? end_ : begin + static_cast<Position>(run.c);
  if (position_ < limit) push({EntryKind::kLazyRun, pc_, position_, position_, limit});
}

// Only of unlimited runs: their ends do not depend on where they began.
bool RegexMatcher::failed_before(const RegexInstruction& run, Position position) const {
  if (run.e == 0 || run.c >= 0 || failed_runs_.empty()) return false;
  const FailedRun& failed = failed_runs_[pc_];
  return position >= failed.low && position <= failed.high;
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
    ++pc_;
    return true;
  }
  position_ = entry.position;
  pc_ = static_cast<uint32_t>(group.b);
  return group.a == 0;
}

void RegexMatcher::leave_group(const Entry& entry) {
  group_ = entry.low;
  if (program_.instructions[entry.pc].op != RegexOp::kLookbehind) return;
  end_ = size_;
  for (Position outer = group_; outer != kNone; outer = stack_[outer].low) {
    if (program_.instructions[stack_[outer].pc].op != RegexOp::kLookbehind) continue;
    end_ = stack_[outer].position;
    return;
  }
}

// Goes on with the last thing that is left to try. False: nothing is.
bool RegexMatcher::backtrack() {
  while (!stack_.empty()) {
    count_steps(1);
    if (resume(stack_.back())) return true;
  }
  return false;
}

bool RegexMatcher::resume(Entry& entry) {
  switch (entry.kind) {
    case EntryKind::kBranch:
      return resume_branch(entry);
    case EntryKind::kGreedyRun:
      return resume_greedy_run(entry);
    case EntryKind::kLazyRun:
      return resume_lazy_run(entry);
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

bool RegexMatcher::resume_branch(Entry entry) {
  stack_.pop_back();
  const RegexInstruction& split = program_.instructions[entry.pc];
  if (remembers_ && split.c >= 0) {
    const size_t bit = memo_bit(static_cast<size_t>(split.c), entry.position);
    if (memo_[bit / 64] >> (bit % 64) & 1) return false;
    push({EntryKind::kMemo, static_cast<uint32_t>(split.c), entry.position, 0, 0});
  }
  pc_ = static_cast<uint32_t>(split.b);
  position_ = entry.position;
  return true;
}

bool RegexMatcher::resume_greedy_run(Entry& entry) {
  const RegexInstruction& run = program_.instructions[entry.pc];
  if (run.e == 1 && run.c < 0) {
    if (failed_runs_.empty()) failed_runs_.resize(program_.instructions.size());
    FailedRun& failed = failed_runs_[entry.pc];
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
  if (run.e == 1 && run.c < 0) {
    if (failed_runs_.empty()) failed_runs_.resize(program_.instructions.size());
    FailedRun& failed = failed_runs_[entry.pc];
    if (entry.position == failed.high + 1 && entry.low >= failed.low && entry.low <= failed.high) {
      failed.high = entry.position;
    } else if (entry.position < failed.low || entry.position > failed.high) {
      failed = {entry.position, entry.position};
    }
  }
  const RegexClass& members = program_.classes[static_cast<size_t>(run.a)];
  if (entry.position == entry.extra || !members.contains(text_[entry.position])) {
    stack_.pop_back();
    return false;
  }
  position_ = ++entry.position;
  pc_ = entry.pc + 1;
  return true;
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

void RegexMatcher::count_steps(size_t steps) {
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
  std::fill(failed_runs_.begin(), failed_runs_.end(), FailedRun{});
  if (memo_low_ == kNone) return;
  const auto begin = memo_.begin() + static_cast<std::ptrdiff_t>(memo_bit(0, memo_low_) / 64);
  const auto end = memo_.begin() + static_cast<std::ptrdiff_t>(memo_bit(program_.memo_slots - 1, memo_high_) / 64 + 1);
  std::fill(begin, end, 0);
  memo_low_ = kNone;
  memo_high_ = 0;
}

}  // namespace bert_native
