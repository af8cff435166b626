#include "tokenizer/normalized_text.h"

#include "tokenizer/unicode.h"

namespace bert_native {

NormalizedText to_normalized_text(std::u16string_view text, size_t begin, size_t end) {
  constexpr char32_t kReplacement = 0xfffd;
  NormalizedText result;
  result.code_points.reserve(end - begin);
  result.origins.reserve(end - begin);
  for (size_t i = begin; i < end;) {
    const auto [c, length] = unicode::decode_utf16(text.substr(0, end), i);
    const bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
    result.code_points.push_back(is_surrogate ? kReplacement : c);
    result.origins.push_back({static_cast<int32_t>(i), static_cast<int32_t>(i + length)});
    i += length;
  }
  return result;
}

void transform(NormalizedText& text, size_t begin, size_t end, std::span<const Change> changes, size_t removed) {
  NormalizedText made;
  made.code_points.reserve(changes.size());
  made.origins.reserve(changes.size());
  size_t next = begin + removed;  // the first code point that nothing has replaced yet
  for (const Change& change : changes) {
    made.code_points.push_back(change.code_point);
    if (change.change > 0) {
      made.origins.push_back(next > 0 ? text.origins[next - 1] : Span{});
    } else {
      made.origins.push_back(text.origins[next]);
      next += 1 + static_cast<size_t>(-change.change);
    }
  }
  const auto at = [](size_t i) { return static_cast<std::ptrdiff_t>(i); };
  text.code_points.replace(begin, end - begin, made.code_points);
  text.origins.erase(text.origins.begin() + at(begin), text.origins.begin() + at(end));
  text.origins.insert(text.origins.begin() + at(begin), made.origins.begin(), made.origins.end());
}

}  // namespace bert_native
