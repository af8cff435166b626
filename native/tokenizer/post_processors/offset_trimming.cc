#include "tokenizer/post_processors/offset_trimming.h"

#include <algorithm>
#include <string>

#include "tokenizer/unicode.h"

namespace bert_native {

namespace {

bool is_space(char32_t c) {
  constexpr char32_t kByteLevelSpace = 0x120;
  return c == kByteLevelSpace || unicode::is_white_space(c);
}

}  // namespace

Margin margin_of_text(std::u16string_view text) {
  const auto leading = std::find_if_not(text.begin(), text.end(), is_space);
  const auto trailing = std::find_if_not(text.rbegin(), text.rend(), is_space);
  return {static_cast<int32_t>(leading - text.begin()), static_cast<int32_t>(trailing - text.rbegin())};
}

Margin margin_of_token(std::string_view token) { return margin_of_text(unicode::to_utf16(token)); }

void trim_offsets(std::span<Span> offsets, std::span<const Margin> margins, bool add_prefix_space) {
  for (size_t i = 0; i < offsets.size(); ++i) {
    Span& span = offsets[i];
    int32_t leading = margins[i].leading;
    const bool is_first = i == 0 || span.start == 0;
    if (is_first && add_prefix_space && leading == 1) leading = 0;
    span.start = std::min(span.start + leading, span.end);
    if (span.end >= margins[i].trailing) span.end = std::max(span.end - margins[i].trailing, span.start);
  }
}

}  // namespace bert_native
