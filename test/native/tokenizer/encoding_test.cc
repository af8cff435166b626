#include "tokenizer/encoding.h"

#include <cstdint>
#include <limits>
#include <vector>

#include "check_throws.h"
#include "harness.h"

namespace bert_native::test {

namespace {

constexpr int32_t kMost = std::numeric_limits<int32_t>::max();

// Parts that say where their rows lie, and hold no tokens.
std::vector<Encoding> parts_of(const std::vector<std::vector<int32_t>>& row_starts) {
  std::vector<Encoding> parts(row_starts.size());
  for (size_t i = 0; i < parts.size(); ++i) parts[i].row_starts = row_starts[i];
  return parts;
}

const Registration registration([] {
  add("encoding: rows of several parts, back to back", [] {
    std::vector<int32_t> starts(6, -1);
    join_row_starts(parts_of({{0, 3, 7}, {0}, {0, 0}, {0, 5, 6}}), starts.data());
    BN_CHECK((starts == std::vector<int32_t>{0, 3, 7, 7, 12, 13}), "other positions");
  });

  add("encoding: at most 2^31 - 1 tokens of one call", [] {
    const auto most = static_cast<size_t>(kMost);
    BN_CHECK(token_position(most) == kMost, "another position");
    check_throws(ErrorCode::kMemory, "at most 2147483647 tokens", [&] { token_position(most + 1); });
    check_throws(ErrorCode::kMemory, "at most 2147483647 tokens", [&] { token_position(2 * most + 3); });

    std::vector<int32_t> starts(5, -1);
    join_row_starts(parts_of({{0, kMost - 1}, {0, 0, 1}}), starts.data());
    BN_CHECK(starts[3] == kMost, "the last row ends elsewhere");
    for (const std::vector<int32_t>& last : {std::vector<int32_t>{0, 2}, {0, 1, 1, 2}, {0, kMost}}) {
      check_throws(ErrorCode::kMemory, "at most 2147483647 tokens", [&] {
        join_row_starts(parts_of({{0, kMost - 1}, last}), starts.data());
      });
    }
  });
});

}  // namespace

}  // namespace bert_native::test
