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

Margin margin_of_token(std::string_view token, std::u16string_view text) {
  const std::u16string units = unicode::to_utf16(token);  // no space is beyond U+FFFF
  auto leading = std::find_if_not(units.begin(), units.end(), is_space) - units.begin();
  auto trailing = std::find_if_not(units.rbegin(), units.rend(), is_space) - units.rbegin();
  Margin margin;
  margin.leads_with_one = leading == 1;
  size_t begin = 0, end = text.size();
  for (; leading > 0 && begin < text.size(); --leading) begin += unicode::decode_utf16(text, begin).length;
  for (; trailing > 0 && end > 0; --trailing) end -= unicode::decode_utf16_before(text, end).length;
  margin.leading = static_cast<int32_t>(begin);
  margin.trailing = static_cast<int32_t>(text.size() - end);
  return margin;
}

Margin margin_of_text(std::u16string_view text) { return margin_of_token(unicode::to_utf8(text), text); }

void trim_offsets(std::span<Span> offsets, std::span<const Margin> margins, bool add_prefix_space) {
  for (size_t i = 0; i < offsets.size(); ++i) {
    Span& span = offsets[i];
    int32_t leading = margins[i].leading;
    const bool is_first = i == 0 || span.start == 0;
    if (is_first && add_prefix_space && margins[i].leads_with_one) leading = 0;
    span.start = std::min(span.start + leading, span.end);
    if (span.end >= margins[i].trailing) span.end = std::max(span.end - margins[i].trailing, span.start);
  }
}

}  // namespace bert_native
