#pragma once

#include <cstddef>
#include <vector>

namespace bert_native {

// Where to cut `strips` of rows into groups of at most `most`, each carried through a step by one of `threads`: cuts[i]
// to cuts[i + 1]. Where every thread has one group at most, the groups are equal. Otherwise the last ones are smaller,
// down to half of `most`, so that no thread waits long for another that was held up (guided self-scheduling,
// Polychronopoulos & Kuck 1987). Still smaller groups would read the weights more often than that gains.
std::vector<size_t> row_group_cuts(size_t strips, size_t most, size_t threads);

}  // namespace bert_native
