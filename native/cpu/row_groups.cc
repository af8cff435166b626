#include "cpu/row_groups.h"

#include <algorithm>

namespace bert_native {

std::vector<size_t> row_group_cuts(size_t strips, size_t most, size_t threads) {
  std::vector<size_t> cuts = {0};
  if (strips <= threads * most) {
    const size_t groups = std::min(strips, threads);
    for (size_t group = 1; group <= groups; ++group) cuts.push_back(group * strips / groups);
    return cuts;
  }
  while (cuts.back() < strips) {
    const size_t left = strips - cuts.back();
    cuts.push_back(cuts.back() + std::min(left, std::clamp(left / threads, (most + 1) / 2, most)));
  }
  return cuts;
}

}  // namespace bert_native
