#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "tokenizer/regex_program.h"
#include "tokenizer/span.h"

namespace bert_native {

// Finds matches of one program in one text: a backtracking machine whose stack lies on the heap. It prefers what
// Oniguruma prefers: the leftmost match, and there the first alternative that leads to one.
//
// Steps are counted. Once a text has cost many, the machine remembers which choices failed where (Davis, Servant
// and Lee 2021, "Using selective memoization to defeat regular expression denial of service"); past the budget it
// throws.
class RegexMatcher {
 public:
  // Both outlive the matcher. Throws kOption for a text of 2^32 - 1 code points or more.
  RegexMatcher(const CheckedRegex& program, std::u32string_view text);

  // The first match that begins at `begin` or behind it.
  bool search(size_t begin, Range& match);

 private:
  using Position = uint32_t;
  static constexpr Position kNone = std::numeric_limits<Position>::max();

  enum class EntryKind : uint32_t { kBranch, kGreedyRun, kLazyRun, kPossessiveRun, kGroup, kRestore, kMemo };

  // What to go on with after a failure.
  struct Entry {
    EntryKind kind;
    uint32_t pc;  // of the instruction; the register of kRestore, the memo slot of kMemo
    Position position;
    Position low;    // of a run: where it may not shrink below, or began; of a group: the group around it
    Position extra;  // of a greedy run: its end; of a lazy run: where it may not grow past; of kLookbehind: the length
  };

  // What follows a run failed at every position of [low, high], all of one run: those of an unlimited run that may end
  // at `low` at the earliest.
  struct FailedRun {
    Position low = 1;
    Position high = 0;
  };

  bool match_at(Position start);
  bool begin_run(const RegexInstruction& run);
  bool scan(const RegexClass& members, Position end);
  bool go_to_the_end(const RegexInstruction& run, Position begin, Position low);
  bool go_far(const RegexInstruction& run, Position begin, Position low);
  bool go_near(const RegexInstruction& run, Position begin);
  Position run_limit(const RegexInstruction& run, Position begin) const;
  bool enter_lookbehind(const RegexInstruction& group);
  bool end_group();
  void leave_group(const Entry& entry);
  bool backtrack();
  bool resume(Entry& entry);
  bool resume_greedy_run(Entry& entry);
  bool resume_lazy_run(Entry& entry);
  bool resume_group(Entry& entry);
  bool holds(RegexAssertion assertion) const;
  bool is_word_boundary(const RegexClass& word) const;
  static bool is_unlimited(const RegexInstruction& run);
  FailedRun* failures_behind(const RegexInstruction& run, Position low);
  FailedRun& failures_of(uint32_t pc);

  void push(const Entry& entry);
  bool has_failed(int32_t memo_slot, Position position) const;
  void push_memo(int32_t memo_slot, Position position);
  void count_steps(uint64_t steps);
  void spent();
  size_t memo_bit(size_t slot, Position position) const { return position * program_.memo_slots + slot; }
  void remember_failure(const Entry& entry);
  void forget_failures();

  const CheckedRegex& program_;
  std::u32string_view text_;
  Position size_;

  uint32_t pc_ = 0;
  Position position_ = 0;
  Position group_ = kNone;  // the entry of the innermost group that is open
  Position end_ = 0;        // what is consumed lies before it: the end of the text, or where a lookbehind looks from
  std::vector<Entry> stack_;
  std::vector<Position> registers_;

  uint64_t steps_ = 0;
  uint64_t allowed_steps_;
  bool remembers_ = false;
  std::vector<uint64_t> memo_;
  Position memo_low_ = kNone;  // positions with bits in memo_
  Position memo_high_ = 0;
  std::vector<FailedRun> failed_runs_;  // of each instruction; empty until there is one
};

}  // namespace bert_native
