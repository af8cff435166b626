#include "cpu/row_groups.h"

#include <algorithm>
#include <string>
#include <vector>

#include "harness.h"

namespace bert_native::test {

namespace {

std::string text(size_t strips, size_t most, size_t threads) {
  return std::to_string(strips) + " strips, groups of " + std::to_string(most) + ", " + std::to_string(threads) +
         " threads";
}

// The strips of the thread with the most, if each takes the next group as soon as it is free.
size_t longest_thread(const std::vector<size_t>& cuts, size_t threads) {
  std::vector<size_t> busy(threads, 0);
  for (size_t group = 0; group + 1 < cuts.size(); ++group) {
    *std::min_element(busy.begin(), busy.end()) += cuts[group + 1] - cuts[group];
  }
  return *std::max_element(busy.begin(), busy.end());
}

void cover_all_strips_and_keep_threads_busy() {
  for (const size_t threads : {1, 2, 3, 4, 8, 16, 64}) {
    for (const size_t most : {1, 3, 7, 8, 16, 24}) {
      for (size_t strips = 1; strips <= 700; strips += strips < 300 ? 1 : 19) {
        const std::vector<size_t> cuts = row_group_cuts(strips, most, threads);
        const std::string which = text(strips, most, threads);
        BN_CHECK(cuts.front() == 0 && cuts.back() == strips, which + ": does not cover all strips");
        for (size_t i = 1; i < cuts.size(); ++i) {
          BN_CHECK(cuts[i] > cuts[i - 1] && cuts[i] - cuts[i - 1] <= most, which + ": a group of the wrong size");
        }
        const size_t even = (strips + threads - 1) / threads, longest = longest_thread(cuts, threads);
        const size_t slack = strips <= threads * most ? 0 : (most + 1) / 2;
        BN_CHECK(longest <= even + slack, which + ": a thread has " + std::to_string(longest) + " strips");
      }
    }
  }
}

void end_in_small_groups() {
  const std::vector<size_t> cuts = row_group_cuts(86, 8, 2);
  BN_CHECK(cuts[1] == 8, "the first group is not the largest");
  BN_CHECK(86 - cuts[cuts.size() - 2] <= 4, "the last group is not small");
}

void add_tests() {
  add("cpu/row_groups: cover all strips, none too large, every thread busy", cover_all_strips_and_keep_threads_busy);
  add("cpu/row_groups: end in small groups", end_in_small_groups);
}

const Registration registration(add_tests);

}  // namespace

}  // namespace bert_native::test
