#include "tokenizer/regex_program.h"

#include <span>
#include <utility>

#include "common/errors.h"

namespace bert_native {

namespace {

// lib/tokenizers/regex/program.ts has the same layout and the same limits.
enum Header : size_t { kVersion, kClassCount, kRegisterCount, kMemoSlots, kStartClass, kHeaderSize };
constexpr int32_t kSupportedVersion = 1;
constexpr size_t kInstructionSize = 6;
constexpr size_t kMaxInstructions = 1 << 16;
constexpr size_t kMaxClasses = 1024;
constexpr size_t kMaxRangeNumbers = 1 << 20;
constexpr char32_t kMaxCodePoint = 0x10FFFF;

class Checker {
 public:
  Checker(const RegexProgram& program, CheckedRegex& out) : program_(program), out_(out) {}

  void run() {
    const std::vector<int32_t>& code = program_.code;
    require(code.size() >= kHeaderSize && code[kVersion] == kSupportedVersion, "header");
    const size_t words = code.size() - kHeaderSize;
    require(words % kInstructionSize == 0 && words > 0 && words / kInstructionSize <= kMaxInstructions, "size");
    size_ = words / kInstructionSize;
    read_classes(code[kClassCount]);
    out_.registers = count(code[kRegisterCount], "registers");
    out_.memo_slots = count(code[kMemoSlots], "memo slots");
    out_.start_class = code[kStartClass];
    require(out_.start_class == -1 || is_class(out_.start_class), "start class");
    read_instructions();
    for (size_t i = 0; i <= CheckedRegex::kAscii; ++i) out_.entries[i] = find_entry(static_cast<char32_t>(i));
  }

 private:
  void require(bool condition, const char* what) const {
    if (condition) return;
    throw Error(ErrorCode::kOption, "the program of the regular expression " + program_.source +
                                        " does not hold together: its " + what + " is wrong");
  }

  size_t count(int32_t number, const char* what) const {
    require(number >= 0 && static_cast<size_t>(number) <= size_, what);
    return static_cast<size_t>(number);
  }

  bool is_class(int32_t number) const { return number >= 0 && static_cast<size_t>(number) < out_.classes.size(); }

  bool is_target(int32_t number) const { return number >= 0 && static_cast<size_t>(number) < size_; }

  void read_classes(int32_t class_count) {
    const std::vector<uint32_t>& ranges = program_.ranges;
    require(class_count >= 0 && static_cast<size_t>(class_count) <= kMaxClasses, "number of classes");
    const auto classes = static_cast<size_t>(class_count);
    require(ranges.size() > classes && ranges.size() <= kMaxRangeNumbers, "list of ranges");
    require(ranges[0] == classes + 1 && ranges[classes] == ranges.size(), "list of ranges");
    std::vector<RegexClass::CodePointRange> pairs;
    for (size_t i = 0; i < classes; ++i) {
      const uint32_t begin = ranges[i];
      const uint32_t end = ranges[i + 1];
      require(begin <= end && end <= ranges.size() && (end - begin) % 2 == 0, "list of ranges");
      pairs.clear();
      for (uint32_t j = begin; j < end; j += 2) {
        require(ranges[j] <= ranges[j + 1] && ranges[j + 1] <= kMaxCodePoint, "list of ranges");
        require(j == begin || ranges[j] > ranges[j - 1], "list of ranges");
        pairs.emplace_back(ranges[j], ranges[j + 1]);
      }
      out_.classes.emplace_back(pairs);
    }
  }

  void read_instructions() {
    out_.instructions.reserve(size_);
    for (size_t i = 0; i < size_; ++i) {
      const int32_t* words = program_.code.data() + kHeaderSize + i * kInstructionSize;
      const RegexInstruction instruction{
          static_cast<RegexOp>(words[0]), words[1], words[2], words[3], words[4], words[5]};
      check(instruction);
      const bool ends = instruction.op == RegexOp::kMatch || instruction.op == RegexOp::kJump ||
                        instruction.op == RegexOp::kSplit || instruction.op == RegexOp::kFail;
      require(ends || i + 1 < size_, "last instruction");
      out_.has_empty_checks |= instruction.op == RegexOp::kJumpIfEmpty;
      out_.instructions.push_back(instruction);
    }
  }

  uint32_t find_entry(char32_t code_point) const {
    uint32_t pc = 0;
    for (size_t steps = 0; steps < size_; ++steps) {
      const RegexInstruction& split = out_.instructions[pc];
      if (split.op != RegexOp::kSplit || split.d < 0) break;
      const RegexClass& first = out_.classes[static_cast<size_t>(split.d)];
      if (code_point < CheckedRegex::kAscii ? first.contains(code_point) : !first.is_ascii()) break;
      pc = static_cast<uint32_t>(split.b);
    }
    return pc;
  }

  void check(const RegexInstruction& instruction) const {
    const auto& [op, a, b, c, d, e] = instruction;
    const auto is_register = [this](int32_t number) {
      return number >= 0 && static_cast<size_t>(number) < out_.registers;
    };
    const auto is_memo_slot = [this](int32_t number) {
      return number >= -1 && number < static_cast<int32_t>(out_.memo_slots);
    };
    const auto is_flag = [](int32_t number) { return number == 0 || number == 1; };
    const auto is_interval = [](int32_t min, int32_t max) { return min >= 0 && (max == -1 || max >= min); };
    switch (op) {
      case RegexOp::kMatch:
      case RegexOp::kGroupEnd:
      case RegexOp::kFail:
        return;
      case RegexOp::kCharacter:
        return require(a >= 0 && static_cast<char32_t>(a) <= kMaxCodePoint, "character");
      case RegexOp::kClass:
        return require(is_class(a), "class");
      case RegexOp::kRun:
        require(is_class(a), "class");
        require(is_interval(b, c), "repetition");
        require(d >= 0 && d <= static_cast<int32_t>(RegexRun::kPossessive), "repetition");
        return require(is_memo_slot(e), "memo slot");
      case RegexOp::kJump:
        return require(is_target(a), "target");
      case RegexOp::kSplit:
        require(is_target(a) && is_target(b), "target");
        require(is_memo_slot(c), "memo slot");
        return require(d == -1 || is_class(d), "class");
      case RegexOp::kMarkPosition:
        return require(is_register(a), "register");
      case RegexOp::kJumpIfEmpty:
        return require(is_register(a) && is_target(b), "register");
      case RegexOp::kAtomic:
        return require(is_flag(a), "atomic group");
      case RegexOp::kLookahead:
        return require(is_flag(a) && is_target(b) && is_flag(c), "lookahead");
      case RegexOp::kLookbehind:
        return require(is_flag(a) && is_target(b) && is_interval(c, d), "lookbehind");
      case RegexOp::kAssert:
        return require(a >= 0 && a <= static_cast<int32_t>(RegexAssertion::kLineEnd), "assertion");
      case RegexOp::kWordBoundary:
        return require(is_flag(a) && is_class(b), "word boundary");
    }
    require(false, "instruction");
  }

  const RegexProgram& program_;
  CheckedRegex& out_;
  size_t size_ = 0;
};

}  // namespace

CheckedRegex::CheckedRegex(RegexProgram program) : source(program.source) { Checker(program, *this).run(); }

}  // namespace bert_native
