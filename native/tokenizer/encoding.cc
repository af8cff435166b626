#include "tokenizer/encoding.h"

#include <limits>
#include <span>

#include "common/errors.h"

namespace bert_native {

int32_t token_position(size_t tokens) {
  if (tokens > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    throw Error(ErrorCode::kMemory, "one call yields at most 2147483647 tokens: give fewer texts at once");
  }
  return static_cast<int32_t>(tokens);
}

void join_row_starts(const std::vector<Encoding>& parts, int32_t* starts) {
  size_t base = 0;
  *starts++ = 0;
  for (const Encoding& part : parts) {
    const std::span<const int32_t> ends = std::span(part.row_starts).subspan(1);
    for (const int32_t end : ends) *starts++ = token_position(base + static_cast<size_t>(end));
    base += static_cast<size_t>(part.row_starts.back());
  }
}

}  // namespace bert_native
